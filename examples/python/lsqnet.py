"""liblsqnet from Python: ctypes and NumPy, in one file to copy into a project.

    context = lsqnet.Context()
    x, report = lsqnet.Solver(context).solve(a, b)

Arrays go in and out without copies where they are float64 or float32, aligned, and lie as the C functions take them;
each method says what it copies. A failed call raises lsqnet.Error, with the library's message. An exception in a
callback (a mixer, a task's draw, a trainer's progress, a solver's stop) ends the call that led to it: that raises
lsqnet.Error from the exception. A workspace, a solver, a state and a trainer are refused to a call while another one
with them is under way.
The C headers say what each call does and what each option means."""
import contextlib
import ctypes
import operator
import os
import threading
from ctypes import (CFUNCTYPE, POINTER, byref, c_char, c_char_p, c_double, c_int32, c_int64, c_uint32, c_uint64,
                    c_void_p, sizeof)

import numpy as np

_library = ctypes.CDLL("liblsqnet.so.0")

F32, F64 = 1, 2  # LSQNET_F32, LSQNET_F64
ARGUMENT, STOPPED = 10, 51  # LSQNET_E_ARGUMENT, LSQNET_E_STOPPED


class Error(Exception):
    """A failed call: `status` is its number, `name` its name, e.g. "LSQNET_E_SHAPE", str() the library's message. A
    solve's has its `reports` and, where there is a best answer (not converged, or unrefined as asked for), `x`."""
    x, reports = None, ()

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.name = _name(status)


# ---- structs: as in the headers, field for field ----

_KINDS = {"i32": c_int32, "i64": c_int64, "u32": c_uint32, "u64": c_uint64, "f64": c_double, "text": c_char_p,
          "pointer": c_void_p}


def _fields(text):
    return [(name, _KINDS[line.split()[0]]) for line in text.split(";") for name in
            line.replace(",", " ").split()[1:]]


def _text(value):
    """A text as C has it; one that C would cut is refused."""
    value = value.encode() if isinstance(value, str) else value
    if not isinstance(value, bytes):
        raise TypeError(f"{value!r} is no text")
    if b"\0" in value:
        raise ValueError(f"{value!r} holds a NUL")
    return value


def _integer(kind, value, name):
    """An integer as C has it; one that C would wrap is refused."""
    value = operator.index(value)
    if kind(value).value != value:
        raise OverflowError(f"{name} is {value}: it does not fit into {8 * sizeof(kind)} bits")
    return value


def _field(kind, value, name):
    """A value as the field of a struct takes it: ctypes would wrap integers, and take them for addresses."""
    if kind is c_char_p:
        return None if value is None else _text(value)
    if kind is c_void_p and value is not None and not isinstance(value, c_void_p):
        raise TypeError(f"{name} is {value!r}: it must be a ctypes.c_void_p")
    return _integer(kind, value, name) if kind in (c_int32, c_int64, c_uint32, c_uint64) else value


class _Struct(ctypes.Structure):
    """A struct that begins with its size. Options take their defaults from the library, then what is given by name."""
    init = None

    def __init__(self, **values):
        super().__init__()
        self.size = sizeof(self)
        if self.init is not None:
            _check(self.init(byref(self), sizeof(self)))
        kinds = dict(self._fields_[1:])  # the size is not the caller's
        for name, value in values.items():
            if name not in kinds:
                raise TypeError(f"{type(self).__name__} has no field {name} to set")
            setattr(self, name, _field(kinds[name], value, name))

    def _keep_texts(self):
        """Has texts of its own in place of the library's."""
        for name, kind in self._fields_:
            if kind is c_char_p:
                setattr(self, name, getattr(self, name))
        return self

    def __repr__(self):
        return ", ".join(f"{name}={getattr(self, name)}" for name, _ in self._fields_[1:])


class ContextOptions(_Struct):
    _fields_ = _fields("u32 size; i32 threads, kernel_level, log_level; pointer allocate, release, allocator_user, "
                       "log, log_user")


class ModelOptions(_Struct):
    _fields_ = _fields("u32 size; i32 dtype; i64 rows, in_width, out_width, width, layers, mlp_factor; i32 mlp, "
                       "residual, bias, mixer_norm, mlp_norm, final_norm, freeze_projections, freeze_positions; u64 "
                       "seed; text mixer, mixer_config")


class ModelStep(_Struct):
    _fields_ = _fields("u32 size; i32 output; i64 rows, dim, iterates; f64 step; text task, prompt")


class Parameter(_Struct):
    _fields_ = _fields("u32 size; i32 frozen; i64 rank") + [("shape", c_int64 * 4)] + _fields(
        "i64 offset, count; text name, reference_name")


class Batch(_Struct):
    _fields_ = _fields("u32 size, reserved; i64 batch, rows, first, count")


class TaskOptions(_Struct):
    _fields_ = _fields("u32 size; i32 setting; i64 rows, dim, iterates, points; u64 seed; f64 step, momentum, "
                       "condition, singular_max, scale_a, scale_x, freedom, sparsity, ode_spread, ode_variance, "
                       "ode_initial, ode_noise; i32 law_a, law_x, normalise_rows, normalise_x, ode_class, ode_points; "
                       "text name, prompt")


class TaskShape(_Struct):
    _fields_ = _fields("u32 size, reserved; i64 rows, in_width, out_width, first, stride, count, scored_first, scored")


class TrainOptions(_Struct):
    _fields_ = _fields("u32 size; i32 fresh_batch; i64 steps, batch; u64 seed; f64 target, rate, beta1, beta2, "
                       "epsilon, weight_decay, momentum, clip, ema_decay, ema_lambda, gamma, metric_decay, "
                       "metric_threshold, rate_floor, l1, damping; i64 schedule_steps, no_increase_steps, "
                       "metric_every, metric_batches, memory, dims_start, dims_increment, dims_interval, rows_start, "
                       "rows_increment, rows_interval; text optimizer, schedule; i64 start_steps, start_batch; f64 "
                       "start_rate; i64 restarts; f64 restart_scale")


class Progress(_Struct):
    _fields_ = _fields("u32 size; i32 ended; i64 step; f64 loss, rate, gradient_norm, damping, metric, fresh_loss, "
                       "seconds; i64 skipped; i32 phase, restart")


class SolverOptions(_Struct):
    _fields_ = _fields("u32 size; i32 method; f64 tolerance, step; i64 iterations, corrections; i32 min_norm, "
                       "lapack_fallback; f64 ridge, seconds; pointer stop, stop_user")


class Report(_Struct):
    _fields_ = _fields("u32 size; i32 status, stopped, method; f64 backward_error, condition, digits, residual_norm; "
                       "i64 rank, iterations, corrections, orthogonalised, model_calls; i32 road, why")


class Problems(_Struct):
    _fields_ = _fields("u32 size; i32 column_major; i64 count, m, n, k, lda, ldb, ldx, a_stride, b_stride, x_stride, "
                       "weights_stride")


class StateOptions(_Struct):
    _fields_ = _fields("u32 size; i32 keep_rows; i64 n, k; f64 forgetting")


class MixerSizes(_Struct):
    _fields_ = _fields("u32 size; i32 residual; i64 rows, width; i32 bias, layers, layer, reserved")


class MixerParameter(_Struct):
    _fields_ = _fields("u32 size; i32 frozen; i64 rank") + [("shape", c_int64 * 4)] + _fields(
        "text name, reference_name")


# ---- functions ----

def _function(name, result, *arguments):
    function = getattr(_library, "lsqnet_" + name)
    function.restype, function.argtypes = result, arguments
    return function


def _name(status):
    return _function("status_name", c_char_p, c_int32)(status).decode()


_message = _function("last_message", c_char_p)
_set_message = _function("set_message", None, c_char_p)
_calls = []  # under way, of all threads
_changing = threading.RLock()  # held while the list changes, and while objects close
_here = threading.local()  # .call: the innermost of this thread


class _Call:
    """A call under way, or several of one method's: the handles it was given, and what its callbacks raise, with the
    text of each. An object that one call at a time may use is refused to a second one."""

    def __init__(self, arguments):
        self.handles = [argument for argument in arguments if isinstance(argument, _Handle)]
        self.raised, self.raised_here = [], None
        self.stopped = None  # status and message of what a solver's stop raised

    def __enter__(self):
        with _changing:
            for handle in self.handles:
                if handle.alone and handle.in_use():
                    raise Error(ARGUMENT, f"the {handle.noun} is in use: a call with it is under way")
            _calls.append(self)
        self.outer, _here.call = getattr(_here, "call", None), self
        return self

    def __exit__(self, *_):
        _here.call = self.outer
        with _changing:
            _calls.remove(self)

    def __call__(self, name, *arguments):
        """Calls a function that returns a status; pointers, integers, floats and texts go as they are."""
        function = getattr(_library, "lsqnet_" + name)
        function.restype = c_int32
        _check(function(*(_text(argument) if isinstance(argument, (str, bytes)) else
                          c_int64(_integer(c_int64, argument, "an argument")) if isinstance(argument, (int, np.integer))
                          else c_double(argument) if isinstance(argument, float) else
                          argument._as_parameter_ if isinstance(argument, _Handle) else argument
                          for argument in arguments)), self)

    def cause(self, message):
        """What the message tells of; else, for not all messages tell it, what was last raised on the call's thread."""
        return next((error for text, error in self.raised if text in message), self.raised_here)


def _check(status, call=None):
    if status != 0:
        message = _message()
        if status == STOPPED and call and call.stopped:
            status, message = call.stopped
        raise Error(status, message.decode(errors="replace")) from call and call.cause(message)


def _call(name, *arguments):
    with _Call(arguments) as call:
        call(name, *arguments)


for _struct, _noun in [(ContextOptions, "context_options"), (ModelOptions, "model_options"),
                       (TaskOptions, "task_options"), (TrainOptions, "train_options"),
                       (SolverOptions, "solver_options"), (Problems, "problems"),
                       (StateOptions, "state_options")]:
    _struct.init = staticmethod(_function(_noun + "_init", c_int32, c_void_p, c_uint32))


def version():
    return _function("version", c_char_p)().decode()


def _callable(given):
    """What is given where a function is wanted."""
    if not callable(given):
        raise TypeError(f"{given!r} is given where a function is wanted")
    return given


def _guarded(body):
    """A callback: what `body` raises becomes a status and a message, for nothing may be raised through C."""
    def guarded(*arguments):
        try:
            result = body(*arguments)
            return 0 if result is None else result
        except BaseException as error:  # KeyboardInterrupt, too, has to come out on the other side
            return _caught(error)
    return guarded


def _caught(error):
    """Keeps what a callback raised for the call that led to it; returns its status, never 0."""
    status, text = STOPPED, type(error).__name__
    try:
        text = f"{text}: {error}"
        status = isinstance(error, Error) and c_int32(error.status).value or STOPPED
    except BaseException:  # of its own __str__
        pass
    text = text.encode(errors="replace")
    _set_message(text)
    call = getattr(_here, "call", None)
    for led in [call] if call else list(_calls):  # on a thread of the library's it may be any: the message will tell
        led.raised.append((text.split(b"\0")[0][:200], error))  # messages have an end
    if call:
        call.raised_here = error
    return status


def _asked(stop):
    """A solver's stop as a callback: the solve that it ends by raising ends with what was raised."""
    def asked(_):
        try:
            return bool(stop())
        except BaseException as error:
            _here.call.stopped = _caught(error), _message()
            return 1
    return asked


# ---- arrays ----

def _real(array):
    """float32 as it is, all else as float64; copied where it does not lie in steps of whole numbers."""
    if np.ma.is_masked(array):
        raise TypeError("masked numbers: the library would take them for numbers like others")
    array = np.asarray(array)
    if np.iscomplexobj(array):
        raise TypeError("complex numbers: the library has real ones")
    if array.dtype not in (np.float32, np.float64):
        return array.astype(np.float64)
    whole = array.flags.aligned and not any(stride % array.itemsize for stride in array.strides)
    return array if whole else array.copy()


def _pointer(array):
    return c_void_p(None if array is None else array.ctypes.data)


def _steps(array):
    """Numbers from row to row and from column to column."""
    return [stride // array.itemsize for stride in array.strides]


def _rows(array):
    """The array and its leading dimension, its rows contiguous: as it lies if they are, else copied."""
    row, column = _steps(array)
    if column == 1 and row >= array.shape[1] or array.shape[1] == 1 and row >= 1:
        return array, max(row, 1)
    return np.ascontiguousarray(array), array.shape[1]


def _place(stack, by_columns):
    """Leading dimension and stride of a stack of matrices with contiguous rows, or columns; None if it is none."""
    turned = stack.swapaxes(1, 2) if by_columns else stack
    (count, lines, length), (stride, ld, step) = turned.shape, _steps(turned)
    if length > 1 and step != 1 or lines > 1 and ld < length or count > 1 and stride < 1:
        return None
    return ld if lines > 1 else length, stride if count > 1 else 0


def _placed(stack, by_columns):
    """The stack as it lies, or copied, and its leading dimension and stride."""
    place = _place(stack, by_columns)
    if place is None:
        stack = np.ascontiguousarray(stack.swapaxes(1, 2)).swapaxes(1, 2) if by_columns else np.ascontiguousarray(stack)
        place = _place(stack, by_columns)
    return stack, *place


def _view(pointer, shape, dtype=np.float64, writeable=True):
    """What lies at a pointer that C passed, as an array."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if count == 0 or not pointer:
        return np.zeros(shape, dtype)
    array = np.frombuffer((c_char * count).from_address(pointer), dtype).reshape(shape)
    array.flags.writeable = writeable
    return array


def _suffix(array):
    return "_f32" if array.dtype == np.float32 else "_f64"


# ---- handles ----

class _Handle:
    """What is created and destroyed; `with` ends it early. What it holds in the library lives as long as it does, and
    so do the objects and callbacks that it was made of."""
    noun, _handle = "", None
    alone = False  # whether one call at a time may use it

    @classmethod
    def _of(cls, given):
        """What is given where an object of this class is wanted: C would take any address."""
        if not isinstance(given, cls):
            raise TypeError(f"{given!r} is given where a {cls.__name__} is wanted")
        return given

    def _create(self, function, *arguments):
        self._made_of, self._handle = arguments, c_void_p()
        _call(function, byref(self._handle), *arguments)

    @property
    def _as_parameter_(self):
        if not self._handle:  # NULL would mean something else to some functions
            raise Error(ARGUMENT, f"the {self.noun} is closed")
        return self._handle

    def in_use(self):
        return any(self is handle for call in _calls for handle in call.handles)

    def close(self):
        with _changing:
            if self._handle and self.in_use():
                raise Error(ARGUMENT, f"the {self.noun} cannot be closed: a call with it is under way")
            handle, self._handle = self._handle, None
        if handle:
            _function(self.noun + "_destroy", None, c_void_p)(handle)

    def __reduce__(self):  # which copies and pickles are made by
        raise TypeError(f"a {type(self).__name__} cannot be copied")

    __del__ = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Context(_Handle):
    noun = "context"

    def __init__(self, **options):
        self._kept = []  # tables of callbacks: the library calls them as long as there are models
        self._create("context_create", byref(ContextOptions(**options)))

    def register_mixer(self, mixer):
        """Registers a subclass of Mixer under its `name`."""
        table = _mixer_table(mixer)
        self._kept.append(table)
        _call("context_register_mixer", self, byref(table))


class Model(_Handle):
    """Model(context, rows=..., in_width=..., ...) has random weights; Model.load(context, path) comes from a file."""
    noun = "model"

    def __init__(self, context, **options):
        self._create("model_create", Context._of(context), byref(ModelOptions(**options)))

    @classmethod
    def load(cls, context, path):
        model = cls.__new__(cls)
        model._create("model_load", Context._of(context), os.fsencode(path), c_void_p())
        return model

    def save(self, path):
        _call("model_save", self, os.fsencode(path))

    @property
    def options(self):
        options = ModelOptions()
        with _Call([self]) as call:
            call("model_get_options", self, byref(options), c_uint32(sizeof(options)))
            return options._keep_texts()

    @property
    def step(self):
        step = ModelStep()
        with _Call([self]) as call:
            call("model_get_step", self, byref(step), c_uint32(sizeof(step)))
            return step._keep_texts()

    def draw_weights(self, seed, scale):
        _call("model_draw_weights", self, c_uint64(_integer(c_uint64, seed, "seed")), float(scale))

    def parameters(self):
        """{name: values} of all parameters, copied."""
        values = {}
        with _Call([self]) as call:
            for index in range(_function("model_parameter_count", c_int64, c_void_p)(self._as_parameter_)):
                about = Parameter()
                call("model_get_parameter", self, index, byref(about), c_uint32(sizeof(about)))
                array = np.empty(about.shape[:about.rank])
                call("model_read_parameter", self, index, _pointer(array), array.size)
                values[about.name.decode()] = array
        return values


class Workspace(_Handle):
    """Passes of a model; one thread at a time."""
    noun, alone = "workspace", True

    def __init__(self, model):
        self._model, options, self._shape = model, Model._of(model).options, None
        self._in, self._out = options.in_width, options.out_width
        self._dtype = np.float32 if options.dtype == F32 else np.float64
        self._create("workspace_create", model)

    def forward(self, x):
        """y = model(x): (batch, rows, in_width) to (batch, rows, out_width). An x that is not contiguous or of another
        precision than the model is copied; so is dy of backward."""
        with _Call([self, self._model]) as call:
            x, self._shape = np.ascontiguousarray(_real(x), self._dtype), None
            if x.ndim != 3 or x.shape[2] != self._in:
                raise ValueError(f"x is {x.shape}: it must be (batch, rows, {self._in})")
            y = np.empty((*x.shape[:2], self._out), self._dtype)
            shape = Batch(batch=x.shape[0], rows=x.shape[1], count=x.shape[1])
            call("model_forward" + _suffix(x), self._model, self, byref(shape), _pointer(x), _pointer(y))
            self._shape = y.shape
            return y

    def backward(self, dy):
        """The gradient in the weights, one flat vector, from dL/dy of the last forward pass."""
        with _Call([self, self._model]) as call:
            dy = np.ascontiguousarray(_real(dy), self._dtype)
            if self._shape is None:
                raise Error(ARGUMENT, "backward needs a forward pass that went well before it")
            if dy.shape != self._shape:
                raise ValueError(f"dy is {dy.shape}: it must be {self._shape}")
            call("model_backward" + _suffix(dy), self._model, self, _pointer(dy), c_void_p())
            count = _function("model_weight_count", c_int64, c_void_p)(self._model)
            gradient = _function("workspace_gradient" + _suffix(dy), c_void_p, c_void_p)(self)
            return _view(gradient, (count,), self._dtype).copy()

    def sgd_step(self, rate):
        _call("sgd_step", self._model, self, float(rate))


_Draw = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64, c_int64, c_int64, c_void_p, c_void_p)


class Task(_Handle):
    """Task(context, name, ...) is one of the library's; Task.custom the host's own."""
    noun = "task"

    def __init__(self, context, name, **options):
        self._create("task_create", Context._of(context), byref(TaskOptions(name=name, **options)))

    @classmethod
    def custom(cls, context, name, draw, **shape):
        """draw(seed, step, first, count, x, target) fills x (count, rows, in_width) and target (count, count of rows
        that are scored, scored)."""
        task, s = cls.__new__(cls), TaskShape(**shape)
        _callable(draw)

        def fill(_, seed, step, first, count, x, target):
            draw(seed, step, first, count, _view(x, (count, s.rows, s.in_width)),
                 _view(target, (count, s.count, s.scored)))
        task._create("task_create_custom", Context._of(context), _text(name), byref(s), _Draw(_guarded(fill)),
                     c_void_p())
        return task

    @property
    def shape(self):
        shape = TaskShape()
        _call("task_get_shape", self, byref(shape), c_uint32(sizeof(shape)))
        return shape


_ProgressCall = CFUNCTYPE(c_int32, c_void_p, POINTER(Progress))


class Trainer(_Handle):
    noun, alone = "trainer", True

    def __init__(self, model, task, **options):
        self._create("trainer_create", Model._of(model), Task._of(task), byref(TrainOptions(**options)))

    def step(self):
        progress = Progress()
        _call("trainer_step", self, byref(progress))
        return progress

    def run(self, callback=None):
        """Steps to the end; callback(progress) ends the run by raising, and only so."""
        def tell(_, progress):
            callback(Progress.from_buffer_copy(progress.contents))
        told = c_void_p() if callback is None else _callable(callback) and _ProgressCall(_guarded(tell))
        _call("trainer_run", self, told, c_void_p())


_Stop = CFUNCTYPE(c_int32, c_void_p)
NOT_CONVERGED, UNREFINED = 41, 6  # LSQNET_E_NOT_CONVERGED, LSQNET_STOP_UNREFINED


@contextlib.contextmanager
def _best(x, reports):
    """A solve that fails tells what is known all the same."""
    try:
        yield
    except Error as error:
        error.reports = list(reports) if any(report.status for report in reports) else []
        if any(report.status == NOT_CONVERGED or report.stopped == UNREFINED for report in reports):
            error.x = x
        raise


class Solver(_Handle):
    """Solver(context) has the trained models that the library carries, Solver(context, model) another; a stop() that
    is true ends a solve."""
    noun, alone = "solver", True

    def __init__(self, context, model=None, stop=None, **options):
        self._kept = None if stop is None else _Stop(_asked(_callable(stop)))
        filled = SolverOptions(**options)
        filled.stop = None if stop is None else ctypes.cast(self._kept, c_void_p)
        self._create("solver_create", Context._of(context), c_void_p() if model is None else Model._of(model),
                     byref(filled))

    def solve(self, a, b, x=None):
        """min ||A X - B||: X and its reports, one for each right-hand side; a b of one dimension gives one x and one
        report. What is not certified raises Error; `x`, where it is given, then holds the best answer there is.
        Neither the rows of A nor its columns contiguous, or another type than float64 and float32: A is copied. Where
        A's columns are, a b that is not contiguous is, and of several right-hand sides a B of contiguous rows, and X;
        else of several ones a B whose rows are not contiguous. A float32 beside a float64 is."""
        a, b = _real(a), _real(b)
        if a.dtype != b.dtype:
            a, b = a.astype(np.float64), b.astype(np.float64)
        if a.ndim != 2 or b.ndim not in (1, 2) or len(a) != len(b):
            raise ValueError(f"A is {a.shape} and b {b.shape}: they must have as many rows")
        sides = b[:, None] if b.ndim == 1 else b
        if x is None:
            x = np.full((a.shape[1], *b.shape[1:]), np.nan, a.dtype)
        if x.dtype != a.dtype or x.shape != (a.shape[1], *b.shape[1:]) or not x.flags.carray:
            raise ValueError(f"x is {x.shape} {x.dtype}: it must be {(a.shape[1], *b.shape[1:])} {a.dtype}, "
                             "contiguous, aligned and writeable")
        answers, reports = x.reshape(a.shape[1], sides.shape[1]), (Report * max(sides.shape[1], 1))()
        reports[0].size = sizeof(Report)
        with _best(x, reports):
            if _steps(a)[0] == 1 and _steps(a)[1] >= len(a):
                self._solve_columns(a, sides, answers, reports)
            else:
                a, lda = _rows(a)
                sides, ldb = _rows(sides)
                _call("solver_solve" + _suffix(a), self, *a.shape, sides.shape[1], _pointer(a), lda, _pointer(sides),
                      ldb, _pointer(answers), sides.shape[1], reports)
        return (x, reports[0]) if b.ndim == 1 else (x, list(reports))

    def _solve_columns(self, a, b, x, reports):
        """A whose columns are contiguous, as they lie."""
        b, by_columns = np.asfortranarray(b), np.asfortranarray(x)
        shape = Problems(column_major=1, m=a.shape[0], n=a.shape[1], k=b.shape[1], lda=_steps(a)[1])
        try:
            _call("solver_solve_batch" + _suffix(a), self, byref(shape), _pointer(a), _pointer(b), c_void_p(),
                  _pointer(by_columns), reports)
        finally:
            x[...] = by_columns

    def solve_many(self, a, b):
        """Problems of one shape: A (count, m, n), b (count, m) to x (count, n) and an array of reports. Neither the
        rows of all A_p contiguous nor the columns of all: A is copied; so is a b of descending or repeated numbers, and
        where the columns of A_p are contiguous and its rows are not, one whose b_p are not contiguous."""
        a, b = _real(a), _real(b)
        if a.ndim != 3 or b.shape != a.shape[:2] or a.dtype != b.dtype:
            raise ValueError(f"A is {a.shape} {a.dtype} and b {b.shape} {b.dtype}, not (count, m, n) and (count, m)")
        by_columns = _place(a, False) is None and _place(a, True) is not None
        a, lda, a_stride = _placed(a, by_columns)
        sides, ldb, b_stride = _placed(b[:, :, None], by_columns)
        x, reports = np.full((a.shape[0], a.shape[2]), np.nan, a.dtype), (Report * max(a.shape[0], 1))()
        reports[0].size = sizeof(Report)
        shape = Problems(column_major=by_columns, count=a.shape[0], m=a.shape[1], n=a.shape[2], lda=lda, ldb=ldb,
                         a_stride=a_stride, b_stride=b_stride)
        with _best(x, reports):
            _call("solver_solve_batch" + _suffix(a), self, byref(shape), _pointer(a), _pointer(sides), c_void_p(),
                  _pointer(x), reports)
        return x, reports


class State(_Handle):
    """Rows that come and go, for a solver to solve again and again: n unknowns, k right-hand sides."""
    noun, alone = "state", True

    def __init__(self, context, solver, n, k=1, **options):
        self._solver, self._n, self._k = Solver._of(solver), operator.index(n), operator.index(k)
        self._create("state_create", Context._of(context), byref(StateOptions(n=n, k=k, **options)))

    def _with_rows(self, function, a, b):
        a, b = np.asarray(_real(a), np.float64), np.asarray(_real(b), np.float64)
        rows = a.shape[:-1]  # () is one row
        fits = [(*rows, self._k)] + ([rows] if self._k == 1 else [])
        if a.ndim not in (1, 2) or a.shape[-1] != self._n or b.shape not in fits:
            raise ValueError(f"a is {a.shape} and b {b.shape}: they must be (rows, {self._n}) and (rows, {self._k})")
        a, lda = _rows(a.reshape(-1, self._n) if a.ndim == 1 else a)
        b = np.ascontiguousarray(b).reshape(len(a), self._k)
        _call(function, self._solver, self, len(a), _pointer(a), lda, _pointer(b), self._k)

    def append(self, a, b):
        """a (rows, n) and b (rows, k), or one row of each: (n,) and (k,). With k = 1, b may be (rows,) or a number.
        Copied: b that is not contiguous, a whose rows are not, and what is not float64."""
        self._with_rows("solver_append_rows", a, b)

    def remove(self, a, b):
        self._with_rows("solver_remove_rows", a, b)

    def solve(self):
        """x (n,) and its report; with more right-hand sides than one x (n, k) and a list of reports."""
        x, reports = np.full((self._n, self._k), np.nan), (Report * self._k)()
        reports[0].size = sizeof(Report)
        with _best(x if self._k > 1 else x[:, 0], reports):
            _call("solver_solve_state", self._solver, self, _pointer(x), self._k, reports)
        return (x[:, 0], reports[0]) if self._k == 1 else (x, list(reports))


# ---- mixers of the host's own ----

class Mixer:
    """A mixer in float64: subclass it, give it a `name` and the methods below, and register the class with a context.

    One object serves one block. shape is the library's lsqnet_mixer_shape; x (B,T,D), y and dy (B,R,D), where R =
    shape.count rows from shape.first on are wanted; weights and dweights are lists of arrays, dweights[i] None where
    weight i is frozen. Arrays are the library's own, and are gone after the call. lsqnet/mixer.h has the contract."""
    name = ""

    def __init__(self, sizes, config):
        self.sizes, self.config = sizes, config

    def parameters(self):
        """[(name, shape), ...]"""
        return []

    def workspace(self, shape):
        """Numbers in cache and in scratch."""
        return 0, 0

    def initialize(self, index, seed, values):
        """Writes the first values of a parameter."""
        values[...] = np.random.default_rng([seed, index]).normal(0, 0.3, values.shape)

    def forward(self, shape, weights, x, y, cache, scratch):
        """Writes y, and into cache what backward needs."""
        raise NotImplementedError

    def backward(self, shape, weights, x, dy, dx, dweights, cache, scratch):
        """Writes dx and adds to dweights."""
        raise NotImplementedError


_MIXER_FUNCTIONS = {
    "create": CFUNCTYPE(c_int32, POINTER(c_void_p), c_void_p, c_void_p, POINTER(MixerSizes), c_char_p),
    "destroy": CFUNCTYPE(None, c_void_p),
    "parameter_count": CFUNCTYPE(c_int64, c_void_p),
    "parameter": CFUNCTYPE(c_int32, c_void_p, c_int64, POINTER(MixerParameter)),
    "workspace": CFUNCTYPE(c_int32, c_void_p, POINTER(Batch), POINTER(c_int64), POINTER(c_int64)),
    "forward_f64": CFUNCTYPE(c_int32, c_void_p, POINTER(Batch), POINTER(c_void_p), *[c_void_p] * 4),
    "backward_f64": CFUNCTYPE(c_int32, c_void_p, POINTER(Batch), POINTER(c_void_p), *[c_void_p] * 3, POINTER(c_void_p),
                              c_void_p, c_void_p),
    "initialize": CFUNCTYPE(c_int32, c_void_p, c_int64, c_uint64, c_void_p)}
_ABSENT = ["forward_f32", "backward_f32", "jvp_f64", "jvp_f32"]


class MixerTable(_Struct):
    _fields_ = (_fields("u32 size, flags; text name; pointer user")
                + [(name, kind) for name, kind in _MIXER_FUNCTIONS.items() if name != "initialize"]
                + [(name, c_void_p) for name in _ABSENT]
                + [("initialize", _MIXER_FUNCTIONS["initialize"]), ("config", c_void_p)])


def _mixer_table(mixer):
    """The table of functions of a subclass of Mixer; states are numbers of objects in a dictionary."""
    objects, numbers = {}, iter(range(1, 1 << 62))

    def create(state, context, user, sizes, config):
        number = next(numbers)
        copy = MixerSizes.from_buffer_copy(sizes.contents)
        objects[number] = made = mixer(copy, config.decode())
        made.list = [(_text(name), tuple(_integer(c_int64, length, "a length") for length in shape))
                     for name, shape in made.parameters()]  # names live as long as it
        made.sizes_said = {}
        state[0] = number

    def destroy(state):
        objects.pop(state, None)

    def parameter(state, index, out):
        name, shape = objects[state].list[index]
        out.contents.name, out.contents.rank = name, len(shape)
        out.contents.shape[:len(shape)] = shape

    def space(made, s):
        """What the mixer says of a shape for the first time: the library's arrays are that long."""
        key = (s.batch, s.rows, s.first, s.count)
        if key not in made.sizes_said:
            made.sizes_said.setdefault(key, [_integer(c_int64, size, "a size") for size in made.workspace(s)])
        return made.sizes_said[key]

    def workspace(state, shape, cache, scratch):
        cache[0], scratch[0] = space(objects[state], shape.contents)

    def arrays(state, shape, weights, cache, scratch):
        s, made = shape.contents, objects[state]
        sizes = space(made, s)
        D = made.sizes.width
        return (made, s, [_view(weights[i], dims, writeable=False) for i, (_, dims) in enumerate(made.list)],
                (s.batch, s.rows, D), (s.batch, s.count, D), _view(cache, (sizes[0],)), _view(scratch, (sizes[1],)))

    def forward(state, shape, weights, x, y, cache, scratch):
        made, s, w, wide, wanted, kept, spare = arrays(state, shape, weights, cache, scratch)
        made.forward(s, w, _view(x, wide, writeable=False), _view(y, wanted), kept, spare)

    def backward(state, shape, weights, x, dy, dx, dweights, cache, scratch):
        made, s, w, wide, wanted, kept, spare = arrays(state, shape, weights, cache, scratch)
        dw = [_view(dweights[i], dims) if dweights[i] else None for i, (_, dims) in enumerate(made.list)]
        made.backward(s, w, _view(x, wide, writeable=False), _view(dy, wanted, writeable=False), _view(dx, wide), dw,
                      kept, spare)

    def initialize(state, index, seed, values):
        objects[state].initialize(index, seed, _view(values, objects[state].list[index][1]))

    bodies = {"create": create, "parameter": parameter, "workspace": workspace, "forward_f64": forward,
              "backward_f64": backward, "initialize": initialize}
    functions = {name: _MIXER_FUNCTIONS[name](_guarded(body)) for name, body in bodies.items()}
    functions["destroy"] = _MIXER_FUNCTIONS["destroy"](destroy)
    functions["parameter_count"] = _MIXER_FUNCTIONS["parameter_count"](lambda state: len(objects[state].list))
    return MixerTable(name=mixer.name, **functions)
