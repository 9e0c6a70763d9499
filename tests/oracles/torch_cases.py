"""torch's own module tests, run on a layer of ours."""

import torch
from torch.testing import assert_close

from tests.oracles.layers import F64, tensors, torch_class


def torchs_own_cases(cls: type):
    """(constructor arguments, call arguments, reference) of torch's module tests."""
    from torch.testing._internal.common_modules import module_db

    (info,) = [m for m in module_db if m.module_cls is cls]
    for training in (True, False):
        options = {"requires_grad": True, "training": training}
        cases = info.module_inputs_func(info, "cpu", torch.float64, **options)
        for case in cases:
            yield case.constructor_input, case.forward_input, training


def assert_passes_torchs_own_cases(cls) -> int:
    """Build and call as torch's own tests do; how many cases there were."""
    count = 0
    for built, called, training in torchs_own_cases(torch_class(cls)):
        ours = cls(*built.args, **built.kwargs, **F64).train(training)
        theirs = torch_class(cls)(*built.args, **built.kwargs, **F64)
        theirs.train(training).load_state_dict(ours.state_dict())
        results = [tensors(m(*called.args, **called.kwargs)) for m in (ours, theirs)]
        assert_close(*results)
        count += 1
    return count
