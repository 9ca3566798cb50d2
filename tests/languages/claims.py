"""What lsqnet.py promises."""
import copy
import ctypes
import gc
import pickle
import threading
import time
import weakref

import numpy as np

import lsqnet

context = lsqnet.Context()


def fails(status, words, body):
    """The lsqnet.Error that `body` raises."""
    try:
        body()
    except lsqnet.Error as error:
        assert error.status == status and words in str(error), f"{error.status} {error.name}: {error}"
        return error
    raise AssertionError(f"no error with {words!r}")


def refuses(body, kind=ValueError):
    """That `body` raises ValueError, or what else is asked for."""
    try:
        body()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def small_model(mixer="identity", **options):
    return lsqnet.Model(context, rows=3, in_width=2, out_width=2, width=4, layers=1, mixer=mixer, **options)


def structs_have_the_library_s_sizes():
    for struct in (lsqnet.ContextOptions, lsqnet.ModelOptions, lsqnet.TaskOptions, lsqnet.TrainOptions,
                   lsqnet.SolverOptions, lsqnet.Problems, lsqnet.StateOptions):
        size = ctypes.sizeof(struct)
        assert struct.init((ctypes.c_char * size)(), size - 8) == 12  # no shorter one will do
    options = lsqnet.TrainOptions()
    assert options.optimizer == b"adam" and options.restart_scale == 1 and options.start_rate == 4e-3
    assert lsqnet.TaskOptions().name == b"explicit_gradient" and lsqnet.SolverOptions().corrections == 50
    assert lsqnet.ModelOptions().mixer == b"base_conv" and lsqnet.StateOptions().forgetting == 1


def every_layout_gives_the_same_answer_and_none_is_copied():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    solver = lsqnet.Solver(context)
    x, reports = solver.solve(a, b)
    assert np.allclose(x, np.linalg.lstsq(a, b, rcond=None)[0], rtol=1e-12) and len(reports) == 2
    wide = np.zeros((12, 5))
    wide[:, 1:4] = a
    doubled = np.zeros((24, 3))
    doubled[::2] = a
    for same in (a, np.asfortranarray(a), wide[:, 1:4], doubled[::2]):
        (got, report), passed = what_is_passed(lambda: solver.solve(same, b[:, 0]))
        assert np.allclose(got, x[:, 0], rtol=1e-14, atol=0) and report.rank == 3
        assert np.shares_memory(passed[0], same) and np.shares_memory(passed[-1], got)
    into = np.empty(3)
    assert solver.solve(a, b[:, 0], into)[0] is into and np.allclose(into, x[:, 0], rtol=1e-14)
    backwards, _ = solver.solve(a[::-1, ::-1], b[::-1, 0])  # no layout of BLAS' kind: copied
    assert np.allclose(backwards[::-1], x[:, 0], rtol=1e-13)
    narrow, _ = solver.solve(a.astype(np.float32), b[:, 0].astype(np.float32))
    assert narrow.dtype == np.float32 and np.allclose(narrow, x[:, 0], rtol=1e-5)
    integers, _ = solver.solve([[1, 1], [1, 2], [1, 3]], [3, 5, 7])
    assert np.allclose(integers, [1, 2], rtol=1e-15)


def what_is_passed(body):
    """The arrays whose addresses `body` hands over, and what it returns."""
    passed, original = [], lsqnet._pointer
    lsqnet._pointer = lambda array: passed.append(array) or original(array)
    try:
        return body(), passed
    finally:
        lsqnet._pointer = original


def stacks_are_not_copied():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(7, 6, 2)), rng.normal(size=(7, 6))
    solver = lsqnet.Solver(context)
    right, _ = solver.solve_many(a, b)
    wide, sparse = np.zeros((14, 6, 5)), np.zeros((14, 6, 3))
    wide[::2, :, 1:3], sparse[::2, :, 1] = a, b
    columns = np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2)
    interleaved = np.asfortranarray(a)  # neither rows nor columns are contiguous
    for rows, sides, copied in ((a, b, ()), (wide[::2, :, 1:3], b, ()), (wide[::2, :, 1:3], sparse[::2, :, 1], ()),
                                (columns, b, ()), (a, np.asfortranarray(b), ()), (a[::1], b, ()),
                                (columns, sparse[::2, :, 1], (1,)), (interleaved, b, (0,)),
                                (a[::-1][::-1], b, ()), (a[:, :, ::-1][:, :, ::-1], b, ())):
        (x, _), passed = what_is_passed(lambda: solver.solve_many(rows, sides))
        assert (x == right).all()
        for place, original in enumerate((rows, sides)):
            assert np.shares_memory(passed[place], original) == (place not in copied), (rows.strides, sides.strides)
    (x, _), passed = what_is_passed(lambda: solver.solve_many(a[::-1], b[::-1]))
    assert (x == right[::-1]).all()
    same, _ = solver.solve_many(np.broadcast_to(a[0], a.shape), np.broadcast_to(b[0], b.shape))
    assert (same == right[0]).all()
    numbers = rng.normal(size=20)  # windows that overlap
    windows = np.lib.stride_tricks.sliding_window_view(numbers, 6)[:, :, None]
    (x, _), passed = what_is_passed(lambda: solver.solve_many(windows, np.ones((15, 6))))
    assert np.shares_memory(passed[0], numbers)
    assert np.allclose(x[:, 0], [window.sum() / (window @ window) for window in windows[:, :, 0]], rtol=1e-13)
    assert solver.solve_many(a[:0], b[:0])[0].shape == (0, 2)
    for lone in (a[:1], columns[:1]):
        assert (solver.solve_many(lone, b[:1])[0] == right[:1]).all()


def several_sides_of_a_matrix_by_columns():
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    solver, by_columns, into = lsqnet.Solver(context), np.asfortranarray(a), np.empty((3, 2))
    right, _ = solver.solve(a, b)
    for sides, copied in ((b, True), (np.asfortranarray(b), False)):
        (x, reports), passed = what_is_passed(lambda: solver.solve(by_columns, sides, into))
        assert x is into and np.allclose(x, right, rtol=1e-14, atol=0) and [r.rank for r in reports] == [3, 3]
        assert np.shares_memory(passed[0], by_columns) and np.shares_memory(passed[1], sides) != copied
    into[:] = 7
    fails(42, "rank", lambda: solver.solve(np.ones((12, 3), order="F"), b, into))
    assert (into == 7).all()


def many_and_streams():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(100, 6, 2)), rng.normal(size=(100, 6))
    solver = lsqnet.Solver(context)
    x, reports = solver.solve_many(a, b)
    assert all(report.status == 0 for report in reports)
    assert np.allclose(x[42], np.linalg.lstsq(a[42], b[42], rcond=None)[0], rtol=1e-12)
    state = lsqnet.State(context, solver, 2)
    for rows in range(6):
        state.append(a[42, rows], b[42, rows])
    assert np.allclose(state.solve()[0], x[42], rtol=1e-12)
    state.append([3, 4], 5e6)
    state.remove([3, 4], 5e6)
    assert np.allclose(state.solve()[0], x[42], rtol=1e-8)
    two = lsqnet.State(context, solver, 2, k=2)
    for rows in (slice(0, 4), slice(4, 6)):
        two.append(a[42, rows], np.stack([b[42, rows], 2 * b[42, rows]], axis=1))
    got, reports = two.solve()
    assert np.allclose(got[:, 0], x[42], rtol=1e-12) and np.allclose(got[:, 1], 2 * x[42], rtol=1e-12)
    assert [report.status for report in reports] == [0, 0]
    refuses(lambda: two.append(a[42], b[42]))


def errors_are_exceptions_with_the_library_s_message():
    error = fails(42, "rank", lambda: lsqnet.Solver(context).solve([[1, 2], [2, 4], [3, 6]], [1, 2, 3]))
    assert error.name == "LSQNET_E_RANK"
    fails(40, "row 1", lambda: lsqnet.Solver(context).solve([[1.0], [np.nan]], [1.0, 2.0]))
    fails(10, "juggle", lambda: lsqnet.Task(context, "juggle"))
    fails(10, "threads", lambda: lsqnet.Context(threads=-7))
    refuses(lambda: lsqnet.Solver(context).solve(np.zeros((3, 2)), np.zeros(2)))
    solver, a, b = lsqnet.Solver(context), np.eye(3, 2), np.zeros(3)
    locked = np.zeros(2)
    locked.flags.writeable = False
    odd = np.zeros(17, np.uint8)[1:].view(np.float64)
    for x in (np.zeros(4)[::2], locked, odd, np.zeros(2, ">f8"), np.zeros(2, np.float32), np.zeros(3)):
        refuses(lambda: solver.solve(a, b, x))
        assert not x.any()


def what_is_known_of_an_unsolved_problem_is_told():
    a, b = np.array([[1, 1], [1, 2], [1, 3]], float), np.array([3, 5, 7.1])
    right = np.linalg.lstsq(a, b, rcond=None)[0]
    for options in (dict(method=1, iterations=5, corrections=1), dict(corrections=0)):
        hasty, into = lsqnet.Solver(context, **options), np.full(2, np.nan)
        error = fails(41, "stopped (", lambda: hasty.solve(a, b, into))
        assert error.x is into and np.allclose(into, right, rtol=1e-6) and error.reports[0].status == 41
        error = fails(41, "stopped (", lambda: hasty.solve(a, np.stack([b, 2 * b], axis=1)))
        assert np.allclose(error.x[:, 1], 2 * right, rtol=1e-6) and len(error.reports) == 2
        assert np.allclose(fails(41, "", lambda: hasty.solve(np.asfortranarray(a), b)).x, right, rtol=1e-6)
    solver, flat = lsqnet.Solver(context), np.ones((3, 2))
    error = fails(42, "rank", lambda: solver.solve(flat, b))
    assert error.x is None and error.reports[0].rank == 1
    error = fails(42, "rank", lambda: solver.solve_many(np.stack([a, flat, a]), np.stack([b, b, b])))
    assert [report.status for report in error.reports] == [0, 42, 0] and error.x is None
    for empty in (lambda: solver.solve(np.zeros((3, 0)), b), lambda: solver.solve(np.zeros((0, 2)), np.zeros(0)),
                  lambda: solver.solve(a, np.zeros((3, 0))), lambda: solver.solve_many(a[None, :, :0], b[None])):
        error = fails(11, "at least 1", empty)
        assert error.x is None and not error.reports


def what_would_be_lost_is_refused():
    solver, a, b = lsqnet.Solver(context), np.eye(3, 2), np.zeros(3)
    state, space = lsqnet.State(context, solver, 2), lsqnet.Workspace(small_model())
    for use in (lambda: solver.solve(a * 1j, b), lambda: solver.solve(a, b + 1j), lambda: solver.solve([[1j]], [1]),
                lambda: solver.solve_many(a[None] * 1j, b[None]), lambda: state.append(a, b * 1j),
                lambda: solver.solve(np.ma.masked_array(a, a == 0), b),
                lambda: space.forward(np.ones((2, 3, 2)) * 1j)):
        refuses(use, TypeError)
    model = small_model()
    for use in (lambda: model.save("no\0such"), lambda: lsqnet.Model.load(context, b"no\0such"),
                lambda: lsqnet.Task(context, "identity\0"), lambda: small_model(mixer=b"identity\0 or not"),
                lambda: context.register_mixer(type("Cut", (Failing,), {"name": "cut\0"}))):
        refuses(use)


def passes_take_what_fits_and_in_order():
    space = lsqnet.Workspace(small_model())
    fails(10, "forward", lambda: space.backward(np.ones((2, 3, 2))))
    assert space.forward(np.ones((2, 3, 2))).shape == (2, 3, 2)
    for shape in ((2, 3, 1), (2, 3, 4), (2, 3), (2, 3, 2, 1), (6,)):
        refuses(lambda: space.forward(np.ones(shape)))
        fails(10, "forward", lambda: space.backward(np.ones((2, 3, 2))))  # of which pass?


def fields_of_structured_arrays_are_copied():
    rng = np.random.default_rng(4)
    for between in ("S11", "S8"):  # steps of 19 bytes; of 16, but from an odd address
        kind = np.dtype([("odd", "S3"), ("value", "f8"), ("between", between)])
        rows, right = np.zeros((12, 3), kind), np.zeros(12, kind)
        rows["value"], right["value"] = a, b = rng.normal(size=(12, 3)), rng.normal(size=12)
        solver = lsqnet.Solver(context)
        x, _ = solver.solve(a, b)
        assert (solver.solve(rows["value"], right["value"])[0] == x).all()
        assert (solver.solve(np.asfortranarray(rows)["value"], b)[0] == x).all()
        assert (solver.solve(a, right["value"])[0] == x).all()
        assert np.allclose(solver.solve_many(rows["value"][None], right["value"][None])[0][0], x, rtol=1e-14, atol=0)
        state = lsqnet.State(context, solver, 3)
        state.append(rows["value"], right["value"])
        assert np.allclose(state.solve()[0], x, rtol=1e-12)


def own_trainer(draw=None, **options):
    draw = draw or (lambda seed, step, first, count, x, target: (x.fill(0.5), target.fill(0.25)))
    task = lsqnet.Task.custom(context, "own", draw, rows=3, in_width=2, out_width=2, stride=1, count=3, scored=2)
    return lsqnet.Trainer(small_model(), task, batch=4, **options)


def a_progress_callback_s_word_is_not_asked_for():
    kept = []
    own_trainer(steps=4).run(kept.append)
    assert [progress.step for progress in kept] == [1, 2, 3, 4]  # each is the callback's to keep
    for word in (True, 51, "on", 2.5):
        running = own_trainer(steps=4)
        running.run(lambda progress: word)
        assert running.step().step == 4
    stopping = lsqnet.Solver(context, stop=lambda: "a word")
    fails(51, "stopped by the caller", lambda: stopping.solve(np.eye(3), np.ones(3)))


def what_a_callback_raises_ends_the_call():
    trainer = own_trainer

    def enough(progress):
        if progress.step == 3:
            raise RuntimeError("enough")

    running = trainer()
    error = fails(51, "RuntimeError: enough", lambda: running.run(enough))
    assert isinstance(error.__cause__, RuntimeError)
    assert running.step().step == 4  # the state is whole

    def own(progress):
        raise lsqnet.Error(30, "the disk is full")
    fails(30, "the disk is full", lambda: trainer().run(own))

    def interrupt(progress):
        raise KeyboardInterrupt
    assert isinstance(fails(51, "KeyboardInterrupt", lambda: trainer().run(interrupt)).__cause__, KeyboardInterrupt)
    fails(51, "ZeroDivisionError", lambda: trainer(lambda *_: 1 / 0).step())
    stopping = lsqnet.Solver(context, stop=lambda: 1 / 0)
    error = fails(51, "ZeroDivisionError: division", lambda: stopping.solve(np.eye(3), np.ones(3)))
    assert isinstance(error.__cause__, ZeroDivisionError) and error.reports[0].stopped == 10

    def gone():
        raise lsqnet.Error(30, "disk gone")
    stopping = lsqnet.Solver(context, stop=gone)
    fails(30, "disk gone", lambda: stopping.solve(np.eye(3), np.ones((3, 2))))
    fails(30, "disk gone", lambda: stopping.solve_many(np.eye(3)[None], np.ones((1, 3))))


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def whatever_a_callback_raises_ends_the_call():
    for odd, words in ((RuntimeError("half \ud800 a letter"), "half ? a letter"), (Mute(), "Mute"),
                       (RuntimeError("before\0after"), "before"), (RuntimeError("long" * 500), "longlong"),
                       (lsqnet.Error(0, "all is well"), "all is well"), (lsqnet.Error(1 << 32, "a lot"), "a lot")):
        def throw(*_):
            raise odd
        assert fails(51, words, lambda: own_trainer().run(throw)).__cause__ is odd
        assert fails(51, words, lambda: own_trainer(throw).step()).__cause__ is odd
        stopping = lsqnet.Solver(context, stop=throw)
        assert fails(51, words, lambda: stopping.solve(np.eye(3), np.ones(3))).__cause__ is odd


def what_is_in_use_is_not_closed():
    running = own_trainer()
    fails(10, "under way", lambda: running.run(lambda progress: running.close()))
    assert running.step().step == 2
    solver = lsqnet.Solver(context, stop=lambda: solver.close())
    error = fails(10, "under way", lambda: solver.solve(np.eye(3), np.ones(3)))
    assert "under way" in str(error.__cause__)
    solver.close()


def objects_of_another_kind_are_refused():
    model, task, solver = small_model(), lsqnet.Task(context, "identity"), lsqnet.Solver(context)
    for use in (lambda: lsqnet.Solver("x"), lambda: lsqnet.Model(7, rows=3), lambda: lsqnet.Solver(model),
                lambda: lsqnet.Trainer(model, context), lambda: lsqnet.Trainer(task, model),
                lambda: lsqnet.State(context, context, 2), lambda: lsqnet.State(solver, solver, 2),
                lambda: lsqnet.Solver(context, "model.safetensors"), lambda: lsqnet.Workspace(task),
                lambda: lsqnet.Model.load(model, "none"), lambda: lsqnet.Task(solver, "identity"),
                lambda: lsqnet.Task(context, 7), lambda: lsqnet.Task.custom(context, 7, print),
                lambda: lsqnet.Task.custom(7, "own", print), lambda: small_model(mixer=7),
                lambda: lsqnet.Solver(context, stop=7), lambda: own_trainer().run(7), lambda: own_trainer(7),
                lambda: own_trainer().run(0), lambda: lsqnet.Context(allocate=7), lambda: small_model(rows="3"), lambda: small_model(seed=1.5)):
        refuses(use, TypeError)
    try:
        lsqnet.Solver(context, context)
    except TypeError as error:
        assert "Context object" in str(error) and "a Model is wanted" in str(error), error


def handles_are_not_copied():
    for handle in (context, small_model(), lsqnet.Solver(context), own_trainer()):
        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            refuses(lambda: use(handle), TypeError)


def sizes_and_integers_are_not_the_callers_to_break():
    for struct in (lsqnet.SolverOptions, lsqnet.ModelOptions, lsqnet.Report):
        refuses(lambda: struct(size=200), TypeError)
    refuses(lambda: lsqnet.Solver(context, size=112), TypeError)
    for use in (lambda: lsqnet.Solver(context, method=1 << 32), lambda: small_model(seed=-1),
                lambda: small_model(bias=1 << 31), lambda: lsqnet.TrainOptions(steps=1 << 63),
                lambda: small_model().draw_weights(1 << 64, 1),
                lambda: lsqnet.State(context, lsqnet.Solver(context), 1 << 64)):
        refuses(use, OverflowError)
    assert lsqnet.ModelOptions(seed=(1 << 64) - 1, rows=np.int8(3)).seed == (1 << 64) - 1


def texts_outlive_the_model():
    model = lsqnet.Model(context, rows=3, in_width=3, out_width=1, width=4, layers=1, mixer="identity")
    lsqnet._call("model_set_step", model, ctypes.byref(
        lsqnet.ModelStep(output=1, rows=2, dim=1, task="explicit_gradient", prompt="split")))
    step, options = model.step, model.options
    for struct, name in ((step, "task"), (step, "prompt"), (options, "mixer")):
        place = ctypes.c_void_p.from_buffer(struct, getattr(type(struct), name).offset).value
        held = [ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value for text in struct._objects.values()]
        assert place in held, name
    model.close()
    assert (step.task, step.prompt, options.mixer) == (b"explicit_gradient", b"split", b"identity")


def rows_of_another_shape_are_refused():
    solver = lsqnet.Solver(context)
    one, two = lsqnet.State(context, solver, 2), lsqnet.State(context, solver, 2, k=2)
    a = np.ones((4, 2))
    for state, rows, sides in ((one, a.T, np.ones(4)), (one, np.ones(8), np.ones(4)), (one, a, np.ones((1, 4))),
                               (one, a[None], np.ones((1, 4))), (two, a, np.ones((2, 4))), (two, a, np.ones(8)),
                               (two, a[0], np.ones((2, 1))), (one, a, 1.0), (one, a[0], [1, 2]), (one, 1.0, 1.0)):
        for use in (state.append, state.remove):
            refuses(lambda: use(rows, sides))
    two.append(a[0], [1, 2])
    one.append(a, np.ones((4, 1)))


def what_is_in_use_is_not_used():
    solver = lsqnet.Solver(context, stop=lambda: solver.solve(np.eye(3), np.ones(3)))
    error = fails(10, "in use", lambda: solver.solve(np.eye(3), np.ones(3)))
    assert "the solver is in use" in str(error.__cause__)
    running = own_trainer(steps=4)
    fails(10, "the trainer is in use", lambda: running.run(lambda progress: running.step()))
    assert running.step().step == 2
    inside, go_on = threading.Event(), threading.Event()

    def wait(*_):
        inside.set()
        go_on.wait(60)

    def during(long, uses):
        inside.clear(), go_on.clear()
        thread = threading.Thread(target=long)
        thread.start()
        assert inside.wait(60)
        for noun, use in uses:
            fails(10, f"the {noun} is in use", use)
        go_on.set()
        thread.join()

    slow = lsqnet.Solver(context, stop=wait)
    a, b = np.eye(3, 2), np.ones(3)
    state = lsqnet.State(context, slow, 2)
    state.append(a, b)
    uses = [("solver", lambda: slow.solve(a, b)), ("solver", lambda: slow.solve_many(a[None], b[None])),
            ("solver", lambda: state.append(a, b))]
    during(lambda: slow.solve(a, b), uses)
    other = lsqnet.Solver(context)
    during(state.solve, uses + [("solver", state.solve), ("state", lambda: lsqnet._call(
        "solver_solve_state", other, state, ctypes.c_void_p(), 1, ctypes.c_void_p()))])

    class Waiting(Failing):
        name = "waiting"

        def forward(self, *arguments):
            wait()
            super().forward(*arguments)
    context.register_mixer(Waiting)
    space = lsqnet.Workspace(small_model("waiting"))
    x, got = np.ones((1, 3, 2)), []
    during(lambda: got.append(space.forward(x)), [("workspace", lambda: space.forward(x[:, :, :1])),
                                                  ("workspace", lambda: space.backward(x)),
                                                  ("workspace", lambda: space.sgd_step(1.0))])
    assert (space.forward(x) == got[0]).all() and np.isfinite(space.backward(x)).all()


def a_model_is_not_used_while_it_is_trained():
    model, inside, go_on = small_model(), threading.Event(), threading.Event()
    space, x = lsqnet.Workspace(model), np.ones((1, 3, 2))

    def draw(seed, step, first, count, x, target):
        inside.set()
        go_on.wait(60)
        x.fill(0.5), target.fill(0.25)
    task = lsqnet.Task.custom(context, "own", draw, rows=3, in_width=2, out_width=2, stride=1, count=3, scored=2)
    running = lsqnet.Trainer(model, task, batch=4, steps=2)
    thread = threading.Thread(target=running.step)
    thread.start()
    assert inside.wait(60)
    for use in (lambda: space.forward(x), model.parameters, lambda: model.save("never"),
                lambda: model.draw_weights(1, 1)):
        fails(10, "the model is in use", use)
    go_on.set()
    thread.join()
    running.run(lambda progress: space.forward(x))  # between steps it may be
    assert np.isfinite(space.forward(x)).all()


class Failing(lsqnet.Mixer):
    """The identity, but for one method that raises."""
    name, at = "failing", None

    def __init__(self, sizes, config):
        self.fail("create")
        super().__init__(sizes, config)

    def fail(self, where):
        if Failing.at == where:
            raise ValueError(f"no luck in {where}")

    def parameters(self):
        self.fail("parameters")
        return [("scale", (self.sizes.width,))]

    def workspace(self, shape):
        self.fail("workspace")
        return 0, 0

    def initialize(self, index, seed, values):
        self.fail("initialize")
        values[...] = 1

    def forward(self, shape, weights, x, y, cache, scratch):
        self.fail("forward")
        y[...] = x[:, shape.first:shape.first + shape.count] * weights[0]

    def backward(self, shape, weights, x, dy, dx, dweights, cache, scratch):
        self.fail("backward")
        dx[...] = 0
        dx[:, shape.first:shape.first + shape.count] = dy * weights[0]
        if dweights[0] is not None:
            dweights[0] += (x[:, shape.first:shape.first + shape.count] * dy).sum(axis=(0, 1))


def a_mixer_that_raises_ends_the_call_and_nothing_else():
    context.register_mixer(Failing)
    for where in ("create", "parameters", "initialize"):
        Failing.at = where
        error = fails(51, f"ValueError: no luck in {where}", lambda: small_model("failing"))
        assert isinstance(error.__cause__, ValueError)
    Failing.at = None
    model = small_model("failing")
    x = np.ones((2, 3, 2))
    for where in ("workspace", "forward", "backward"):
        Failing.at = where
        space = lsqnet.Workspace(model)
        fails(51, f"no luck in {where}", lambda: space.backward(space.forward(x)))
    Failing.at = None
    plain = small_model(seed=0)
    space = lsqnet.Workspace(model)
    assert space.forward(x).shape == (2, 3, 2) and plain.parameters().keys() < model.parameters().keys()
    gradient = space.backward(np.ones((2, 3, 2)))
    assert np.isfinite(gradient).all() and (gradient != 0).any()


def a_mixer_s_arrays_are_as_long_as_it_said_first():
    lengths = []

    class Growing(Failing):
        name = "growing"

        def workspace(self, shape):
            lengths.append(None)
            return 2 * len(lengths), len(lengths)

        def forward(self, shape, weights, x, y, cache, scratch):
            assert (cache.size, scratch.size) == (2, 1)
            cache.fill(7), scratch.fill(7)
            super().forward(shape, weights, x, y, cache, scratch)
    context.register_mixer(Growing)
    space, x = lsqnet.Workspace(small_model("growing")), np.ones((2, 3, 2))
    for _ in range(2):
        space.backward(space.forward(x))
    Growing.workspace = lambda self, shape: (1 << 64, 0)  # which C would take for 0
    fails(51, "does not fit into 64 bits", lambda: space.forward(x[:1]))
    Growing.parameters = lambda self: [("scale", ((1 << 64) + 4,))]
    fails(51, "does not fit into 64 bits", lambda: small_model("growing"))


def threads_may_call_a_mixer():
    many = lsqnet.Context(threads=2)
    many.register_mixer(type("Threaded", (Failing,), {"name": "threaded"}))
    model = lsqnet.Model(many, rows=3, in_width=2, out_width=2, width=4, layers=1, mixer="threaded")
    x = np.random.default_rng(3).normal(size=(1000, 3, 2))  # several chunks
    one = lsqnet.Workspace(model).forward(x)
    assert (lsqnet.Workspace(model).forward(x[7:8]) == one[7:8]).all()
    Failing.at = "forward"
    error = fails(51, "no luck in forward", lambda: lsqnet.Workspace(model).forward(x))
    assert isinstance(error.__cause__, ValueError)
    Failing.at = None


class Meeting(Failing):
    """Two threads meet in forward: the one that `raises` does so, while the other calls the library."""
    name, both, raised, raises = "meeting", None, None, None

    def forward(self, shape, weights, x, y, cache, scratch):
        super().forward(shape, weights, x, y, cache, scratch)
        if Meeting.raised.is_set():
            return  # a chunk after those of the meeting
        Meeting.both.wait(60)
        if (threading.get_ident() == Meeting.caller) == (Meeting.raises == "caller"):
            Meeting.raised.set()
            raise ValueError(f"by the {Meeting.raises}")
        Meeting.raised.wait(60)
        time.sleep(0.1)  # till it is raised
        lsqnet.TrainOptions()
        small_model()


def threads_keep_what_they_raise_apart():
    many = lsqnet.Context(threads=2)
    many.register_mixer(Meeting)
    Meeting.caller = threading.get_ident()
    model = lsqnet.Model(many, rows=3, in_width=2, out_width=2, width=4, layers=1, mixer="meeting")
    for Meeting.raises in ("caller", "pool"):
        Meeting.both, Meeting.raised = threading.Barrier(2), threading.Event()
        error = fails(51, f"by the {Meeting.raises}", lambda: lsqnet.Workspace(model).forward(np.ones((1000, 3, 2))))
        assert isinstance(error.__cause__, ValueError)
    errors = {}

    def run(number):
        def throw(progress):
            together.wait(60)
            raise RuntimeError(f"number {number}")
        errors[number] = fails(51, f"number {number}", lambda: own_trainer().run(throw))
    together = threading.Barrier(4)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(errors[number].__cause__) for number in range(4)] == [f"number {number}" for number in range(4)]


def objects_may_go_in_any_order():
    model = small_model()
    space, solver = lsqnet.Workspace(model), lsqnet.Solver(context)
    model.close()
    space.close()
    other = lsqnet.Context()
    with lsqnet.Model(other, rows=3, in_width=2, out_width=2, width=4, layers=1) as model:
        other.close()
        assert len(model.parameters()) > 0
    solver.close()
    solver.close()
    fails(10, "closed", lambda: solver.solve(np.eye(2), np.ones(2)))


def what_is_made_of_others_keeps_them():
    def made_of(own):
        own.register_mixer(type("Kept", (Failing,), {"name": "kept"}))
        model = lsqnet.Model(own, rows=3, in_width=3, out_width=1, width=4, layers=1, mixer="kept")
        lsqnet._call("model_set_step", model, ctypes.byref(lsqnet.ModelStep(output=1, rows=2, dim=1, prompt="split")))
        return lsqnet.Solver(own, model), weakref.ref(own), weakref.ref(model)
    solver, *parts = made_of(lsqnet.Context())
    gc.collect()
    assert all(part() for part in parts)
    after = [lsqnet._Stop(lambda _: 0) for _ in range(1000)]  # where callbacks that are gone would have been
    fails(41, "stopped", lambda: solver.solve(np.array([[1.0], [2.0]]), np.ones(2)))  # no good model, but it is there
    others = []
    for make in (lambda own: lsqnet.State(own, lsqnet.Solver(context), 2), lambda own: lsqnet.Task(own, "read"),
                 lambda own: lsqnet.Solver(own), lambda own: lsqnet.Workspace(lsqnet.Model(own, rows=3, in_width=2,
                                                                                           out_width=2))):
        own = lsqnet.Context()
        others.append((make(own), weakref.ref(own)))
        del own
    gc.collect()
    assert len(after) == 1000 and all(part() for _, part in others)


def what_is_closed_is_not_there():
    model, task = small_model(), lsqnet.Task(context, "multistep_gd", prompt="split", rows=8, dim=2)
    space = lsqnet.Workspace(model)
    other = lsqnet.Context()
    for thing in (model, task, other):
        thing.close()
    for use in (lambda: lsqnet.Solver(context, model), lambda: lsqnet.Workspace(model), lambda: model.options,
                lambda: model.parameters(), lambda: space.forward(np.ones((1, 3, 2))), lambda: task.shape,
                lambda: lsqnet.Trainer(small_model(), task), lambda: lsqnet.Solver(other),
                lambda: lsqnet.Model.load(other, "no such file"), lambda: other.register_mixer(Failing)):
        fails(10, "is closed", use)


for claim in (structs_have_the_library_s_sizes, every_layout_gives_the_same_answer_and_none_is_copied, many_and_streams,
              stacks_are_not_copied, several_sides_of_a_matrix_by_columns,
              errors_are_exceptions_with_the_library_s_message, what_is_known_of_an_unsolved_problem_is_told,
              what_would_be_lost_is_refused, passes_take_what_fits_and_in_order,
              fields_of_structured_arrays_are_copied, a_progress_callback_s_word_is_not_asked_for,
              what_a_callback_raises_ends_the_call, whatever_a_callback_raises_ends_the_call,
              what_is_in_use_is_not_closed, what_is_in_use_is_not_used, a_model_is_not_used_while_it_is_trained,
              objects_of_another_kind_are_refused,
              handles_are_not_copied, sizes_and_integers_are_not_the_callers_to_break, texts_outlive_the_model,
              rows_of_another_shape_are_refused, a_mixer_that_raises_ends_the_call_and_nothing_else,
              a_mixer_s_arrays_are_as_long_as_it_said_first,
              threads_may_call_a_mixer, threads_keep_what_they_raise_apart, objects_may_go_in_any_order,
              what_is_made_of_others_keeps_them, what_is_closed_is_not_there):
    claim()
print("lsqnet.py: all claims hold")
