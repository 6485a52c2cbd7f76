"""Where in the text of a configuration a value stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventbraid.kserve.config import parse_config
from eventbraid.kserve.places import places_of

NAMES = st.sampled_from(["x", "y", "z"])
INPUTS = st.lists(st.tuples(NAMES, st.lists(st.integers(-1, 9), max_size=3)), max_size=4)


@given(INPUTS, st.sampled_from(["{}", "<>"]), st.booleans(), st.sampled_from(["\n", " ", " # }\n"]))
def test_every_number_of_a_text_is_found_on_its_line(
    inputs: list[tuple[str, list[int]]], brackets: str, listed: bool, space: str
) -> None:
    lines: list[str] = []
    for name, dims in inputs:
        numbers = f"dims: [{', '.join(map(str, dims))}]" if listed else " ".join(f"dims: {size}" for size in dims)
        lines += [f"input {brackets[0]}", f"name: '{name}';{space}{numbers}", brackets[1]]
    text = "\n".join(lines)
    config, places = parse_config(text, "here"), places_of(text)
    for index, each in enumerate(config.input):
        for axis, size in enumerate(each.dims):
            place = places[f"input[{index}].dims[{axis}]"]
            assert place.value == str(size)
            assert str(size) in text.splitlines()[place.line - 1]
    assert sum(".dims" in path for path in places) == sum(len(dims) for _, dims in inputs)
