"""The shop's sales, and what of them is looked at: the same on every page of a visit."""

from pathlib import Path

import pandas as pd
import streamlit as st

FILE = Path(__file__).parent / "data" / "sales.csv"


@st.cache_data
def load() -> pd.DataFrame:
    """All sales, a line for each month, region and product. Read once for all visitors."""
    return pd.read_csv(FILE, parse_dates=["month"])


def choose(label: str, column: str) -> list[str]:
    """Lets the visitor choose values of a column. What is chosen stays while pages are changed."""
    values = sorted(load()[column].unique())
    key = f"chosen {column}"
    # A widget forgets its value where it is not on the page; what stands under a key of our own is kept.
    chosen = st.sidebar.multiselect(label, values, default=st.session_state.get(key, values))
    st.session_state[key] = chosen
    return chosen


def chosen() -> pd.DataFrame:
    """The sales that the visitor wants to see. Where these are none, the page ends with what to do."""
    regions = choose("Regions", "region")
    products = choose("Products", "product")
    sales = load()
    wanted = sales[sales["region"].isin(regions) & sales["product"].isin(products)]
    if wanted.empty:
        st.info("Choose at least one region and one product.")
        st.stop()
    return wanted


def euros(amount: float) -> str:
    """An amount as people read it."""
    return f"€ {amount:,.0f}".replace(",", " ")
