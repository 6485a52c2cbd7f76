"""Where the embedded server does not do what Triton does: what is different, and the tests that show it.

A name is that of a test function, or with its parameters that of one of its cases. Each of them has to fail on the
embedded server, so that a difference that has gone is taken out here; docs/servers.md has the same list.
"""

from __future__ import annotations

from typing import Final


def _cases(function: str, *cases: str) -> tuple[str, ...]:
    return tuple(f"{function}[{case}]" for case in cases)


TESTS: Final[dict[str, tuple[str, ...]]] = {
    "An input that the configuration calls `optional` has to be given.": (
        "test_an_optional_input_may_be_left_out",
        "test_a_python_model_gives_back_what_it_is_given",
        "test_typed_contents_are_as_good_as_raw_ones",
        "test_a_tensor_may_be_larger_than_grpcs_own_limit",
        "test_a_model_whose_inputs_are_all_optional_answers_a_request_with_none",
        "test_words_are_read_and_written_in_place",
    ),
    "What is wrong with a request is said in words of its own, without the request's id before them.": (
        "test_contents_both_typed_and_raw_are_refused",
        "test_an_output_that_the_model_has_not_is_refused",
        "test_a_refusal_names_the_request_that_has_an_id",
        "test_an_exception_of_the_model_is_internal_and_told",
        "test_a_model_that_cannot_be_loaded_is_refused_with_its_reason",
        "test_a_stream_says_what_is_wrong_with_a_tensor",
        *_cases("test_a_wrong_place_is_refused", "short input", "long input"),
        *_cases(
            "test_a_wrong_request_is_refused_in_the_same_words",
            *("a version that is no number", "missing input", "unknown input", "one input more", "another type"),
            *("no type", "another shape", "fewer dimensions", "another shape without a batch", "no shape"),
            *("negative sizes", "sizes beyond all memory", "a batch too large", "a batch of no rows"),
            *("too few bytes", "too many bytes", "no contents", "a word that ends early", "a length that ends early"),
            *("too few words", "too many words", "contents of another field", "typed contents of 16 bits"),
            *("too few numbers", "too many numbers"),
        ),
    ),
    "A batch of no rows is answered.": _cases(
        "test_a_wrong_request_is_refused_with_the_same_status", "a batch of no rows"
    ),
    "A version that is no number is NOT_FOUND, a length of text that ends early INTERNAL, and not INVALID_ARGUMENT.": (
        _cases(
            "test_a_wrong_request_is_refused_with_the_same_status",
            *("a version that is no number", "a length that ends early"),
        )
    ),
    "An input that is given twice counts once; parameters may begin with `triton_`.": (
        "test_an_input_given_twice_is_refused",
        "test_parameters_that_begin_with_triton_are_refused",
    ),
    "Outputs come in the order of asking, and one that is asked for twice is given twice.": (
        "test_outputs_come_in_the_models_order_whatever_the_order_of_asking",
        "test_an_output_that_is_asked_for_twice_is_given_once",
    ),
    "An output of a Python model that the configuration has not is given all the same.": (
        "test_an_output_that_the_model_did_not_give_is_left_out",
    ),
    "`reshape` is not applied.": ("test_a_model_may_see_its_rows_in_another_shape",),
    "Configurations are told as they are written, without the defaults that Triton fills in (`preferred_batch_size`, "
    "`instance_group`, `version_policy`).": (
        "test_a_configuration_is_completed_with_its_defaults",
        "test_a_model_is_initialized_with_its_whole_configuration",
        "test_coffeas_wrapper_is_answered_by_the_embedded_server[joined]",
    ),
    "Models are not told of sequences.": ("test_a_model_gets_the_number_of_a_sequence",),
    "The last answer of a stream has no mark, and there is no empty one at the end on demand.": (
        "test_it_streams_the_answers_of_decoupled_models",
        "test_a_usual_answer_is_marked_as_the_last",
        "test_a_decoupled_model_ends_with_an_empty_answer_on_demand",
        "test_a_decoupled_model_without_answers_ends_with_an_empty_one_on_demand",
    ),
    "The index lists what is not loaded as UNAVAILABLE and without a version.": (
        "test_a_model_that_was_added_is_in_the_index_before_it_is_loaded",
        "test_a_model_that_is_unloaded_is_in_the_index_as_such",
        "test_a_model_that_cannot_be_loaded_is_in_the_index_with_its_reason",
    ),
    "A model is loaded as its folder says, and not with a configuration that the request brings.": (
        "test_a_model_may_be_loaded_with_another_configuration",
        "test_a_configuration_that_is_no_json_is_refused",
    ),
    "A model that is not there is INVALID_ARGUMENT, for loading (Triton: INTERNAL) and unloading (Triton: no error).": (
        "test_a_model_that_is_not_there_cannot_be_loaded",
        "test_a_model_that_is_not_there_is_unloaded_already",
    ),
    "The name of a repository is not looked at.": (
        "test_a_repository_of_another_name_is_not_known",
        "test_another_repository_is_not_known",
    ),
    "Unloading answers after the requests in flight have ended.": (
        "test_a_request_in_flight_is_answered_when_its_model_is_unloaded",
    ),
    "The server is ready while a model that was asked for cannot be loaded.": (
        "test_a_server_with_a_model_that_cannot_be_loaded_is_live_but_not_ready",
    ),
    "An object in shared memory may be registered under two names; memory of GPUs is UNIMPLEMENTED.": (
        "test_an_object_is_registered_under_one_name",
        "test_a_server_has_no_regions_of_gpus_until_they_are_registered",
    ),
    "An execution that raised is not counted, and an error that a model answers is counted as a failure.": (
        "test_an_execution_that_raised_is_counted",
        "test_a_request_that_the_model_answers_with_an_error_counts_as_executed",
    ),
    "Statistics without a version are those of the newest, and of an unknown model NOT_FOUND, not INVALID_ARGUMENT.": (
        "test_each_version_has_statistics_of_its_own",
        "test_there_are_no_statistics_of_what_is_not_served",
        "test_a_model_that_is_unloaded_is_not_found",
    ),
    "A server that ends answers what is in flight and takes no calls: UNAVAILABLE, where Triton says NOT_FOUND to "
    "requests.": (
        "test_requests_in_flight_are_answered_and_new_ones_are_refused",
        "test_a_server_that_ends_does_not_say_that_it_is_ready",
        "test_a_server_that_ends_does_not_tell_of_its_models",
    ),
}

_DIFFERENCES: Final = {test: what for what, tests in TESTS.items() for test in tests}


def difference(function: str, case: str) -> str | None:
    """What is different in a case of a test function; None where nothing is."""
    rest = "-".join(part for part in case.split("-") if part != "embedded")
    return _DIFFERENCES.get(function) or _DIFFERENCES.get(f"{function}[{rest}]")
