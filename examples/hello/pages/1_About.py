"""What this app is made of."""

from pathlib import Path

import streamlit as st

st.set_page_config(page_title="About", page_icon="📄")

st.title("About this app")
st.write("Every file in `pages/` is a page of its own. This is all there is to the first one:")
st.code(Path(__file__).parent.parent.joinpath("app.py").read_text(encoding="utf-8"), language="python")
st.write("Change a line, commit, and push again: whoever has the app open keeps the old version until they reload.")
