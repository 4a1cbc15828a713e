"""Revenue and units by region."""

import altair as alt
import streamlit as st

from sales import chosen

st.set_page_config(page_title="Regions", page_icon="🗺️", layout="wide")

st.title("Regions")
sales = chosen()
measure = st.radio("Measure", ["revenue", "units"], horizontal=True)
by_region = sales.groupby(["region", "product"], as_index=False)[measure].sum()
st.altair_chart(
    alt.Chart(by_region)
    .mark_bar()
    .encode(
        x=alt.X(f"{measure}:Q", title=measure.capitalize()),
        y=alt.Y("region:N", title=None, sort="-x"),
        color=alt.Color("product:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=["region:N", "product:N", alt.Tooltip(f"{measure}:Q", format=",.0f")],
    )
    .properties(height=260)
)
