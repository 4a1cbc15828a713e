"""The rows behind the charts, to browse and download."""

import streamlit as st

from sales import chosen

st.set_page_config(page_title="Data", page_icon="📄", layout="wide")

st.title("Data")
sales = chosen()
st.dataframe(sales, hide_index=True, column_config={"month": st.column_config.DateColumn(format="MMM YYYY")})
st.download_button("Download as CSV", sales.to_csv(index=False), "sales.csv", "text/csv")
