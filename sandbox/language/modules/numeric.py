"""numpy through an allow-list: computation, and nothing that reads files, memory or code."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from sandbox.language.modules.facade import Facade, pick
from sandbox.language.modules.services import Services
from sandbox.language.special_methods import NDARRAY

_FUNCTIONS = (
    "False_ True_ abs absolute acos add all allclose amax amin angle any append apply_along_axis "
    "arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argpartition argsort "
    "argwhere around array array2string array_equal array_split asanyarray asarray ascontiguousarray "
    "asin atan atan2 atleast_1d atleast_2d atleast_3d average bartlett bincount bitwise_and "
    "bitwise_not bitwise_or bitwise_xor blackman block bool bool_ broadcast_arrays broadcast_to cbrt "
    "ceil choose clip column_stack complex128 complex64 compress concat concatenate conj convolve "
    "copy copysign copyto corrcoef correlate cos cosh count_nonzero cov cross cumprod cumsum "
    "cumulative_prod cumulative_sum datetime64 deg2rad degrees delete diag diag_indices diagflat diagonal diff "
    "digitize divide divmod dot double dsplit dstack dtype e ediff1d einsum equal "
    "errstate euler_gamma exp exp2 expand_dims expm1 extract eye fabs fill_diagonal finfo fix "
    "flatnonzero flip fliplr flipud float16 float32 float64 float_power floating floor floor_divide "
    "fmax fmin fmod frexp fromfunction fromiter full full_like gcd generic geomspace gradient greater "
    "greater_equal hamming hanning heaviside histogram histogram2d histogram_bin_edges hsplit hstack "
    "hypot i0 identity iinfo imag indices inf inner insert int16 int32 int64 int8 int_ intc integer "
    "interp intersect1d intp invert isclose iscomplex isfinite isin isinf isnan isneginf isposinf "
    "isreal isscalar issubdtype ix_ kaiser kron lcm ldexp less less_equal lexsort linspace log log10 "
    "log1p log2 logaddexp logical_and logical_not logical_or logical_xor logspace matmul max maximum "
    "mean median meshgrid min minimum mod modf moveaxis multiply nan nan_to_num nanargmax nanargmin "
    "nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd "
    "nansum nanvar ndenumerate ndim ndindex negative newaxis nextafter nonzero not_equal "
    "number ones ones_like outer pad partition percentile pi piecewise place poly polyadd polyder "
    "poly1d polyfit polyint polymul polysub polyval positive pow power prod promote_types ptp put "
    "put_along_axis quantile rad2deg radians ravel real reciprocal remainder repeat reshape resize "
    "result_type rint roll rollaxis roots rot90 round searchsorted select seterr geterr set_printoptions "
    "setdiff1d setxor1d shape sign signbit sin sinc single sinh size sort spacing split sqrt square "
    "squeeze stack std subtract sum swapaxes take take_along_axis tan tanh tensordot tile "
    "timedelta64 trace "
    "transpose trapezoid tri tril tril_indices triu triu_indices trim_zeros true_divide trunc "
    "uint uint16 uint32 uint64 uint8 "
    "union1d unique unravel_index vander var vdot vectorize vsplit vstack where zeros zeros_like"
)
_LINALG = (
    "LinAlgError cholesky cond det eig eigh eigvals eigvalsh inv lstsq matrix_power matrix_rank "
    "multi_dot norm pinv qr slogdet solve svd"
)
_FFT = "fft ifft rfft irfft fftfreq rfftfreq fftshift ifftshift"
_RANDOM = (
    "beta binomial bytes chisquare choice dirichlet exponential gamma geometric gumbel laplace "
    "logistic lognormal multinomial multivariate_normal normal pareto permutation poisson rand "
    "randint randn random random_integers random_sample ranf rayleigh sample shuffle "
    "standard_cauchy standard_exponential standard_gamma standard_normal standard_t triangular "
    "uniform vonmises wald weibull zipf"
)


def build(services: Services) -> dict[str, Facade]:
    """Return the facades of this file."""
    chance = Facade("numpy.random", _random(services))
    linalg = Facade("numpy.linalg", pick(np.linalg, _LINALG))
    fft = Facade("numpy.fft", pick(np.fft, _FFT))
    windows = Facade("numpy.lib.stride_tricks", {"sliding_window_view": sliding_window_view})
    parts = Facade("numpy.lib", {"stride_tricks": windows})
    typing = Facade("numpy.typing", {"NDArray": NDARRAY, "ArrayLike": object, "DTypeLike": object})
    members = {
        **pick(np, _FUNCTIONS),
        "lib": parts,
        "linalg": linalg,
        "random": chance,
        "fft": fft,
        "typing": typing,
        "trapz": np.trapezoid,
        "ndarray": NDARRAY,
        "empty": empty,
        "empty_like": empty_like,
        "fromiter": fromiter,
        "__version__": np.__version__,
    }
    warm_up()
    return {
        "numpy": Facade("numpy", members),
        "numpy.random": chance,
        "numpy.lib": parts,
        "numpy.lib.stride_tricks": windows,
        "numpy.linalg": linalg,
        "numpy.fft": fft,
        "numpy.typing": typing,
    }


def empty(shape: Any, dtype: Any = float, order: Any = "C", **_: Any) -> Any:
    """Return an array of zeros: what memory held before is not the bot's to see."""
    return np.zeros(shape, dtype=dtype, order=order)


def empty_like(prototype: Any, dtype: Any = None, order: Any = "K", **more: Any) -> Any:
    """Return an array of zeros like another."""
    return np.zeros_like(prototype, dtype=dtype, order=order, **more)


def sliding_window_view(x: Any, window_shape: Any, axis: Any = None) -> Any:
    """Return windows that slide over an array, as a read-only view of it.

    numpy computes the view's bounds in Python, with the operators of what it is given.
    """
    array = np.asarray(x)
    return np.lib.stride_tricks.sliding_window_view(
        array, _plain_integers(window_shape), None if axis is None else _plain_integers(axis)
    )


def _plain_integers(given: Any) -> tuple[int, ...]:
    """Return integers whose operators are Python's own, whatever a bot's class of integers says of itself."""
    listed = tuple(given) if np.iterable(given) else (given,)
    return tuple(int.__index__(operator.index(item)) for item in listed)


def fromiter(iterable: Any, dtype: Any, count: int = -1, **more: Any) -> Any:
    """Return an array of an iterable's items; the memory of one that grows is not cleared, so gaps are refused."""
    kind = np.dtype(dtype)
    if kind.fields is not None:
        raise TypeError("np.fromiter() of a structured dtype is not offered; use np.array(list(...), dtype=...)")
    return np.fromiter(iterable, kind, count, **more)


def _random(services: Services) -> dict[str, object]:
    def seed(value: Any = None) -> None:
        """Seed the bot's numpy generator; without an argument it stays as it is."""
        if value is not None:
            np.random.seed(value)  # noqa: NPY002 - bots ask for this very stream

    def default_rng(value: Any = None) -> np.random.Generator:
        """Return numpy's generator; without a seed it is seeded from the bot's own."""
        if isinstance(value, np.random.Generator):
            return value
        return np.random.default_rng(services.rng.getrandbits(64) if value is None else value)

    def random_state(value: Any = None) -> np.random.RandomState:
        """Return numpy's older generator; without a seed it is seeded from the bot's own."""
        return np.random.RandomState(services.rng.getrandbits(32) if value is None else value)

    return {
        **pick(np.random, _RANDOM),
        "RandomState": random_state,
        "seed": seed,
        "default_rng": default_rng,
        "Generator": np.random.Generator,
    }


def warm_up() -> None:
    """Touch what numpy imports or looks up late, while that is still allowed."""
    calls: tuple[Callable[[], object], ...] = (
        lambda: np.polyfit([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 2.0, 5.0], 1),
        lambda: np.linalg.lstsq(np.eye(3), np.ones(3), rcond=None),
        lambda: np.linalg.svd(np.eye(3)),
        lambda: np.linalg.eig(np.eye(3)),
        lambda: np.percentile([1.0, 2.0, 4.0], [5, 50]),
        lambda: np.nanmedian([1.0, np.nan]),
        lambda: np.corrcoef([1.0, 2.0, 4.0], [2.0, 1.0, 5.0]),
        lambda: np.random.default_rng(1).normal(size=3),
        lambda: np.convolve([1.0, 2.0], [1.0]),
        lambda: np.fft.rfft([1.0, 2.0, 3.0, 4.0]),
        lambda: np.histogram([1.0, 2.0, 3.0]),
        lambda: np.unique([3, 1, 3]),
        lambda: repr(np.array([1.5, 2.5])),
        lambda: str(np.float64(1.5)),
        lambda: np.einsum("i,i->", [1.0, 2.0], [3.0, 4.0]),
        lambda: np.log(np.zeros(2)),
        lambda: np.mean([]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in calls:
            call()
