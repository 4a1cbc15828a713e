"""What this app is made of."""

from pathlib import Path

import streamlit as st

st.set_page_config(page_title="About", page_icon="📄")

st.title("About this app")
st.write("Every file in `pages/` is a page. Here is the source of the first one:")
st.code(Path(__file__).parent.parent.joinpath("app.py").read_text(encoding="utf-8"), language="python")
st.write("Change a line, commit and push again. Open tabs keep the old version until they reload.")
