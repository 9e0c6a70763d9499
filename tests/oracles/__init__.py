"""What the recurrent layers are held against: torch.nn, its tests, ONNX's."""

from tests.oracles.layers import (
    F64,
    LAYOUTS,
    OPTIONS,
    SIZES,
    as_given,
    assert_a_wrong_weight_is_seen,
    assert_bptt_works_under_torch_func,
    assert_dropout_is_torchs,
    assert_dtypes_are_torchs,
    assert_module_is_torchs,
    assert_same,
    assert_same_everywhere,
    assert_transforms_work,
    input_of,
    rnn_case,
    tensors,
    torch_class,
    torch_twin,
)
from tests.oracles.onnx import assert_passes_onnx
from tests.oracles.torch_cases import assert_passes_torchs_own_cases

__all__ = [
    "F64",
    "LAYOUTS",
    "OPTIONS",
    "SIZES",
    "as_given",
    "assert_a_wrong_weight_is_seen",
    "assert_bptt_works_under_torch_func",
    "assert_dropout_is_torchs",
    "assert_dtypes_are_torchs",
    "assert_module_is_torchs",
    "assert_passes_onnx",
    "assert_passes_torchs_own_cases",
    "assert_same",
    "assert_same_everywhere",
    "assert_transforms_work",
    "input_of",
    "rnn_case",
    "tensors",
    "torch_class",
    "torch_twin",
]
