"""The shop's sales, and the filters that all pages share."""

from pathlib import Path

import pandas as pd
import streamlit as st

FILE = Path(__file__).parent / "data" / "sales.csv"


@st.cache_data
def load() -> pd.DataFrame:
    """Loads all sales, one row per month, region and product. Cached for all visitors."""
    return pd.read_csv(FILE, parse_dates=["month"])


def choose(label: str, column: str) -> list[str]:
    """Lets the visitor filter a column. The selection is kept across pages."""
    values = sorted(load()[column].unique())
    key = f"chosen {column}"
    # A widget loses its value when it is not on the page; session state under our own key is kept.
    chosen = st.sidebar.multiselect(label, values, default=st.session_state.get(key, values))
    st.session_state[key] = chosen
    return chosen


def chosen() -> pd.DataFrame:
    """Returns the filtered sales, or stops the page with a hint if there are none."""
    regions = choose("Regions", "region")
    products = choose("Products", "product")
    sales = load()
    wanted = sales[sales["region"].isin(regions) & sales["product"].isin(products)]
    if wanted.empty:
        st.info("Choose at least one region and one product.")
        st.stop()
    return wanted


def euros(amount: float) -> str:
    """Formats an amount in euros."""
    return f"€ {amount:,.0f}".replace(",", " ")
