"""A dashboard: metrics, a chart and filters that all pages share."""

import altair as alt
import streamlit as st

from sales import chosen, euros

st.set_page_config(page_title="Bike sales", page_icon="🚲", layout="wide")

st.title("Bike sales")
sales = chosen()
year = sales["month"].dt.year
this_year, last_year = sales[year == year.max()], sales[year == year.max() - 1]
revenue, before = this_year["revenue"].sum(), last_year["revenue"].sum()
best = this_year.groupby("product")["revenue"].sum().idxmax()

first, second, third = st.columns(3)
first.metric(f"Revenue in {year.max()}", euros(revenue), f"{(revenue - before) / before:+.0%}" if before else None)
second.metric("Sold and repaired", f"{this_year['units'].sum():,}".replace(",", " "))
third.metric("Strongest", best)

by_month = sales.groupby(["month", "product"], as_index=False)["revenue"].sum()
st.altair_chart(
    alt.Chart(by_month)
    .mark_area(interpolate="monotone", opacity=0.85)
    .encode(
        x=alt.X("month:T", title=None),
        y=alt.Y("revenue:Q", title="Revenue (€)", stack=True),
        color=alt.Color("product:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=["month:T", "product:N", alt.Tooltip("revenue:Q", format=",.0f")],
    )
    .properties(height=360)
)
st.caption("The filters apply to all pages in the sidebar.")
