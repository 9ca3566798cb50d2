// liblsqnet from JavaScript (Node.js) by way of koffi: one file to copy into a project.
//
// Float64Arrays go in and out without copies. A failed call throws LsqnetError with the library's message (a solve's
// has the report and the best x too), a value of the wrong type TypeError. What a callback throws ends the call that
// led to it, which throws LsqnetError with that as its cause; what it returns says nothing, but for a solver's stop.
// close() frees at once; what is not closed is freed some time after it is out of reach. While a call with a trainer
// or a solver is under way, it is refused to other calls, and not closed. The C headers say what each call does and
// what each option means.
import koffi from "koffi";

const library = koffi.load("liblsqnet.so.0");

// ---- structs: as in the headers, field for field ----

const KINDS = { i32: "int32_t", i64: "int64_t", u32: "uint32_t", u64: "uint64_t", f64: "double", text: "str",
  pointer: "void *", stop: koffi.pointer(koffi.proto("int32_t lsqnet_stop_fn(void *user)")) };

function struct(name, fields) {
  const members = {};
  for (const line of fields.split(";")) {
    const [kind, ...names] = line.trim().split(/[\s,]+/);
    for (const member of names) members[member] = kind;
  }
  const type = koffi.struct(`lsqnet_${name}`, Object.fromEntries(
    Object.entries(members).map(([member, kind]) => [member, KINDS[kind]])));
  return { type, members };
}

const ModelOptions = struct("model_options",
  "u32 size; i32 dtype; i64 rows, in_width, out_width, width, layers, mlp_factor; i32 mlp, residual, " +
  "bias, mixer_norm, mlp_norm, final_norm, freeze_projections, freeze_positions; u64 seed; text mixer, " +
  "mixer_config");
const ModelStep = struct("model_step",
  "u32 size; i32 output; i64 rows, dim, iterates; f64 step; text task, prompt");
const TaskOptions = struct("task_options",
  "u32 size; i32 setting; i64 rows, dim, iterates, points; u64 seed; f64 step, momentum, condition, " +
  "singular_max, scale_a, scale_x, freedom, sparsity, ode_spread, ode_variance, ode_initial, ode_noise; " +
  "i32 law_a, law_x, normalise_rows, normalise_x, ode_class, ode_points; text name, prompt");
const TaskShape = struct("task_shape",
  "u32 size, reserved; i64 rows, in_width, out_width, first, stride, count, scored_first, scored");
const TrainOptions = struct("train_options",
  "u32 size; i32 fresh_batch; i64 steps, batch; u64 seed; f64 target, rate, beta1, beta2, epsilon, " +
  "weight_decay, momentum, clip, ema_decay, ema_lambda, gamma, metric_decay, metric_threshold, " +
  "rate_floor, l1, damping; i64 schedule_steps, no_increase_steps, metric_every, metric_batches, " +
  "memory, dims_start, dims_increment, dims_interval, rows_start, rows_increment, rows_interval; text " +
  "optimizer, schedule; i64 start_steps, start_batch; f64 start_rate; i64 restarts; f64 restart_scale");
const Progress = struct("progress",
  "u32 size; i32 ended; i64 step; f64 loss, rate, gradient_norm, damping, metric, fresh_loss, seconds; " +
  "i64 skipped; i32 phase, restart");
const SolverOptions = struct("solver_options",
  "u32 size; i32 method; f64 tolerance, step; i64 iterations, corrections; i32 min_norm, lapack_fallback; " +
  "f64 ridge, seconds; stop stop; pointer stop_user");
const Report = struct("report",
  "u32 size; i32 status, stopped, method; f64 backward_error, condition, digits, residual_norm; i64 " +
  "rank, iterations, corrections, orthogonalised, model_calls; i32 road, why");

for (const noun of ["context", "model", "task", "trainer", "solver"]) koffi.opaque(`lsqnet_${noun}`);
const ProgressCallback = koffi.proto("int32_t lsqnet_progress_fn(void *user, const lsqnet_progress *progress)");

// ---- functions ----

const statusName = library.func("const char *lsqnet_status_name(int32_t status)");
const lastMessage = library.func("const char *lsqnet_last_message()");
const setMessage = library.func("void lsqnet_set_message(const char *text)");
export const version = library.func("const char *lsqnet_version()");

export class LsqnetError extends Error {
  constructor(status, message, cause) {
    super(message, { cause });
    this.status = status; // its number
    this.name = statusName(status); // e.g. "LSQNET_E_SHAPE"
  }
}

const E_ARGUMENT = 10, E_NOT_CONVERGED = 41, E_STOPPED = 51, STOP_UNREFINED = 6;
let thrown; // by a callback, until the call that led to it returns
let stopped; // status and message of what a solver's stop has thrown, likewise

function check(status) {
  const cause = thrown, by = stopped;
  thrown = stopped = undefined;
  if (status === E_STOPPED && by) throw new LsqnetError(by.status, by.message, cause);
  if (status !== 0) throw new LsqnetError(status, lastMessage(), cause);
}

// A function that returns a status: `call(...)` throws unless that is 0.
function checked(declaration) {
  const call = library.func(`int32_t lsqnet_${declaration}`);
  return (...values) => check(call(...values));
}

const functions = {
  context: checked("context_create(_Out_ lsqnet_context **out, const void *options)"),
  modelOptions: checked("model_options_init(_Inout_ lsqnet_model_options *options, uint32_t size)"),
  model: checked("model_create(_Out_ lsqnet_model **out, lsqnet_context *context, " +
    "const lsqnet_model_options *options)"),
  load: checked("model_load(_Out_ lsqnet_model **out, lsqnet_context *context, const char *path, const void *options)"),
  save: checked("model_save(const lsqnet_model *model, const char *path)"),
  draw: checked("model_draw_weights(lsqnet_model *model, uint64_t seed, double scale)"),
  step: checked("model_get_step(const lsqnet_model *model, _Inout_ lsqnet_model_step *step, uint32_t size)"),
  taskOptions: checked("task_options_init(_Inout_ lsqnet_task_options *options, uint32_t size)"),
  task: checked("task_create(_Out_ lsqnet_task **out, lsqnet_context *context, const lsqnet_task_options *options)"),
  shape: checked("task_get_shape(const lsqnet_task *task, _Inout_ lsqnet_task_shape *shape, uint32_t size)"),
  trainOptions: checked("train_options_init(_Inout_ lsqnet_train_options *options, uint32_t size)"),
  trainer: checked("trainer_create(_Out_ lsqnet_trainer **out, lsqnet_model *model, lsqnet_task *task, " +
    "const lsqnet_train_options *options)"),
  trainerStep: checked("trainer_step(lsqnet_trainer *trainer, _Inout_ lsqnet_progress *progress)"),
  run: checked("trainer_run(lsqnet_trainer *trainer, lsqnet_progress_fn *callback, void *user)"),
  solverOptions: checked("solver_options_init(_Inout_ lsqnet_solver_options *options, uint32_t size)"),
  solver: checked("solver_create(_Out_ lsqnet_solver **out, lsqnet_context *context, const lsqnet_model *model, " +
    "const lsqnet_solver_options *options)"),
  solve: checked("solver_solve_f64(lsqnet_solver *solver, int64_t m, int64_t n, int64_t k, const double *a, " +
    "int64_t lda, const double *b, int64_t ldb, double *x, int64_t ldx, _Inout_ lsqnet_report *reports)"),
};

// ---- helpers of the classes ----

const RANGES = {
  i32: [-(2n ** 31n), 2n ** 31n], i64: [-(2n ** 63n), 2n ** 63n], u32: [0n, 2n ** 32n], u64: [0n, 2n ** 64n],
};
const WANTED = {
  i32: "a 32-bit integer", i64: "a 64-bit integer", u32: "a 32-bit integer from 0", u64: "a 64-bit integer from 0",
  f64: "a number", text: "a string without NUL, or null", pointer: "null", stop: "a function or null",
};

// A text of anything.
function shown(value) {
  try {
    return String(value);
  } catch {
    return "something that has no text";
  }
}

// koffi ends the process over some values that it cannot convert: they must not reach it.
function fits(kind, value) {
  if (kind === "text") return value === null || (typeof value === "string" && !value.includes("\0"));
  if (kind === "f64") return typeof value === "number";
  if (kind === "pointer") return value === null;
  if (kind === "stop") return value === null || typeof value === "function";
  if (typeof value !== "bigint" && !Number.isSafeInteger(value)) return false;
  const [least, end] = RANGES[kind];
  return least <= value && value < end;
}

function checkFits(name, kind, value) {
  if (!fits(kind, value)) throw new TypeError(`${name} is ${shown(value)}: it must be ${WANTED[kind]}`);
}

function zeroed({ type, members }) {
  const value = {};
  for (const [name, kind] of Object.entries(members))
    value[name] = ["text", "pointer", "stop"].includes(kind) ? null : 0;
  value.size = koffi.sizeof(type);
  return value;
}

// The library's defaults, then what is given by name.
function filled(struct, init, given) {
  const value = zeroed(struct);
  init(value, value.size);
  for (const [name, option] of Object.entries(given)) {
    if (!Object.hasOwn(value, name) || name === "size") throw new TypeError(`there is no option ${name}`);
    checkFits(name, struct.members[name], option);
    value[name] = option;
  }
  return value;
}

function got(struct, get, handle) {
  const value = zeroed(struct);
  get(handle, value, value.size);
  return value;
}

// A callback: what it throws becomes a status and a message, for nothing may be thrown through C.
function guarded(body) {
  return (...values) => {
    try {
      body(...values);
      return 0;
    } catch (error) {
      return caught(error);
    }
  };
}

function caught(error) {
  thrown = error;
  setMessage(shown(error));
  const status = error instanceof LsqnetError ? error.status : 0;
  return fits("i32", status) && Number(status) !== 0 ? Number(status) : E_STOPPED;
}

// A solver's stop: true ends the solve, and what it throws does, with its own status and message.
function asked(stop) {
  return () => {
    try {
      return stop() ? 1 : 0;
    } catch (error) {
      stopped = { status: caught(error), message: lastMessage() };
      return 1;
    }
  };
}

// What is created and destroyed.
class Handle {
  #handle; // C would take any address
  static freed = new FinalizationRegistry((free) => free());

  constructor(noun, create, ...values) {
    const out = [null];
    create(out, ...values);
    this.#handle = out[0];
    this.busy = false; // a call with it is under way, and another one or close() may come from a callback
    this.freedBy(() => destroyers[noun](out[0]));
  }

  freedBy(free) {
    Handle.freed.unregister(this);
    Handle.freed.register(this, free, this);
    this.free = free;
  }

  // What body(handle) returns, with the object to itself.
  alone(body) {
    const handle = handleOf(this.constructor, this);
    if (this.busy) throw new LsqnetError(E_ARGUMENT, `the ${this.constructor.name} is in use: a call is under way`);
    this.busy = true;
    try {
      return body(handle);
    } finally {
      this.busy = false;
    }
  }

  close() {
    if (this.#handle === null) return;
    if (this.busy)
      throw new LsqnetError(E_ARGUMENT, `the ${this.constructor.name} cannot be closed: a call is under way`);
    Handle.freed.unregister(this);
    this.free();
    this.#handle = null;
  }

  // The handle of an open object of that class.
  static of(type, object) {
    if (!(object instanceof type && #handle in object)) throw new TypeError(`${shown(object)} is no ${type.name}`);
    if (!object.#handle) throw new LsqnetError(E_ARGUMENT, `the ${type.name} is closed`);
    return object.#handle;
  }
}

const handleOf = Handle.of;

const destroyers = {};
for (const noun of ["context", "model", "task", "trainer", "solver"])
  destroyers[noun] = library.func(`void lsqnet_${noun}_destroy(lsqnet_${noun} *handle)`);

export class Context extends Handle {
  constructor() {
    super("context", functions.context, null);
  }
}

// new Model(context, {rows, in_width, ...}) has random weights; Model.load(context, path) comes from a file.
export class Model extends Handle {
  constructor(context, options) {
    const handle = handleOf(Context, context);
    if (typeof options === "string") super("model", functions.load, handle, options, null);
    else super("model", functions.model, handle, filled(ModelOptions, functions.modelOptions, options));
  }

  static load(context, path) {
    checkFits("path", "text", path);
    return new Model(context, path);
  }

  save(path) {
    checkFits("path", "text", path);
    functions.save(handleOf(Model, this), path);
  }

  drawWeights(seed, scale) {
    checkFits("seed", "u64", seed);
    checkFits("scale", "f64", scale);
    functions.draw(handleOf(Model, this), seed, scale);
  }

  get step() {
    return got(ModelStep, functions.step, handleOf(Model, this));
  }
}

export class Task extends Handle {
  constructor(context, name, options = {}) {
    const all = filled(TaskOptions, functions.taskOptions, { name, ...options });
    super("task", functions.task, handleOf(Context, context), all);
  }

  get shape() {
    return got(TaskShape, functions.shape, handleOf(Task, this));
  }
}

export class Trainer extends Handle {
  constructor(model, task, options = {}) {
    const all = filled(TrainOptions, functions.trainOptions, options);
    super("trainer", functions.trainer, handleOf(Model, model), handleOf(Task, task), all);
  }

  step() {
    const progress = zeroed(Progress);
    this.alone((handle) => functions.trainerStep(handle, progress));
    return progress;
  }

  // Steps to the end; callback(progress) ends the run by throwing.
  run(callback = () => 0) {
    if (typeof callback !== "function") throw new TypeError(`callback is ${shown(callback)}: it must be a function`);
    const told = guarded((_, progress) => callback(koffi.decode(progress, Progress.type)));
    this.alone((handle) => functions.run(handle, told, null));
  }
}

// new Solver(context) has the trained models that the library carries; new Solver(context, model, options) another.
// The option stop is a function that is asked between steps of a solve: true, or what it throws, ends it. If it refers
// to the solver, close() alone frees that.
export class Solver extends Handle {
  constructor(context, model = null, options = {}) {
    const own = model === null ? null : handleOf(Model, model);
    const all = filled(SolverOptions, functions.solverOptions, options);
    const stop = all.stop && koffi.register(asked(all.stop), KINDS.stop);
    try {
      super("solver", functions.solver, handleOf(Context, context), own, { ...all, stop });
    } catch (error) {
      if (stop) koffi.unregister(stop);
      throw error;
    }
    if (!stop) return;
    const { free } = this;
    this.freedBy(() => {
      free();
      koffi.unregister(stop);
    });
  }

  // min ||A x - b|| for a row-major A, both Float64Arrays: {x, report}. The error of a solve that fails has `report`
  // and, where there is a best x (not converged, or unrefined as the options asked), `x`.
  solve(a, b) {
    const m = b.length, n = a.length / b.length;
    if (!(a instanceof Float64Array) || !(b instanceof Float64Array) || !Number.isInteger(n))
      throw new TypeError(`A and b must be Float64Arrays of m n and m numbers, not of ${a.length} and ${b.length}`);
    const x = new Float64Array(n), report = zeroed(Report);
    try {
      this.alone((handle) => functions.solve(handle, m, n, 1, a, n, b, 1, x, 1, report));
    } catch (error) {
      const best = error.status === E_NOT_CONVERGED || report.stopped === STOP_UNREFINED;
      if (report.status !== 0) Object.assign(error, { report }, best ? { x } : {});
      throw error;
    }
    return { x, report };
  }
}
