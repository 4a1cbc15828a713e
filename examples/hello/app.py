"""A first app: two sliders, a chart and a second page."""

import math

import streamlit as st

st.set_page_config(page_title="Hello", page_icon="🌊")

st.title("Hello 👋")
st.write("You deployed this with `git push`. Move the sliders to rerun the script.")

left, right = st.columns(2)
waves = left.slider("Waves", min_value=1, max_value=12, value=4)
calm = right.slider("Calm", min_value=0.0, max_value=1.0, value=0.3, step=0.05)

points = [position / 100 for position in range(201)]
swell = [math.sin(waves * math.pi * x) * math.exp(-3 * calm * x) for x in points]
tide = [0.5 * math.sin(waves * math.pi * x / 3) for x in points]
st.line_chart({"swell": swell, "tide": tide}, height=320)

highest = max(swell)
st.metric("Highest wave", f"{highest:.2f} m")

if "visits" not in st.session_state:
    st.session_state.visits = 0
if st.button("Throw a pebble"):
    st.session_state.visits += 1
if st.session_state.visits:
    st.write("🪨 " * st.session_state.visits)
    st.caption("This count is session state. It survives a new push for as long as this page stays open.")
