"""The trace of an account: the same on every hop, and of the form that everybody reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.domain.trace import trace_id_for, trace_id_of, traceparent_for


@given(st.text(min_size=1, max_size=128))
def test_others_read_what_we_write_and_find_the_same_trace(correlation_id: str) -> None:
    traceparent = traceparent_for(correlation_id)
    read = trace.get_current_span(TraceContextTextMapPropagator().extract({"traceparent": traceparent}))
    context = read.get_span_context()
    assert context.is_valid
    assert context.trace_flags.sampled
    assert f"{context.trace_id:032x}" == trace_id_of(traceparent) == trace_id_for(correlation_id)


def test_two_accounts_have_two_traces() -> None:
    assert trace_id_for("a") != trace_id_for("b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-abc",
        "01-" + "a" * 32 + "-" + "b" * 16 + "-01",
        "00-" + "0" * 32 + "-" + "b" * 16 + "-01",
        "00-" + "a" * 32 + "-" + "0" * 16 + "-01",
        "00-" + "A" * 32 + "-" + "b" * 16 + "-01",
        "00-" + "a" * 32 + "-" + "b" * 16 + "-01\n",
    ],
)
def test_what_is_no_trace_context_has_no_trace(text: str) -> None:
    assert trace_id_of(text) == ""
