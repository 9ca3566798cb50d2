//! liblsqnet from Rust: one file to copy into a project, as `mod lsqnet;`. It links `liblsqnet` and needs no crate.
//!
//! A failed call is an `Err(Error)` with the library's status and message; a solve that fails is an `Err(Unsolved)`,
//! which has the report and the best x too. What owns, frees; a context, a model and a task may go before what was made
//! of them. The C headers say what each call does and what each option means.
#![allow(dead_code)]

use std::any::Any;
use std::ffi::{c_void, CStr, CString};
use std::fmt;
use std::marker::PhantomData;
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

/// A failed call.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// Number of the status, e.g. 30 for LSQNET_E_IO.
    pub status: i32,
    /// The library's message.
    pub message: String,
}

pub const E_ARGUMENT: i32 = 10;
pub const E_SHAPE: i32 = 11;
pub const E_VERSION: i32 = 12;
pub const E_MEMORY: i32 = 20;
pub const E_IO: i32 = 30;
pub const E_FORMAT: i32 = 31;
pub const E_NOT_FINITE: i32 = 40;
pub const E_NOT_CONVERGED: i32 = 41;
pub const E_RANK: i32 = 42;
pub const E_UNSUPPORTED: i32 = 50;
pub const E_STOPPED: i32 = 51;
pub const E_INTERNAL: i32 = 90;
pub const STOP_UNREFINED: i32 = 6;

impl Error {
    /// Name of the status, e.g. "LSQNET_E_IO".
    pub fn name(&self) -> String {
        text(unsafe { lsqnet_status_name(self.status) })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.message)
    }
}

impl std::error::Error for Error {}

/// A solve that failed: what is known all the same.
#[derive(Debug, Clone)]
pub struct Unsolved {
    pub error: Error,
    /// The best x, where there is one: not converged, or unrefined as the options asked.
    pub x: Option<Vec<f64>>,
    /// `None`: the arguments were refused.
    pub report: Option<Report>,
}

impl fmt::Display for Unsolved {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Unsolved {}

impl From<Unsolved> for Error {
    fn from(unsolved: Unsolved) -> Error {
        unsolved.error
    }
}

pub type Result<T> = std::result::Result<T, Error>;

fn text(c: *const c_char) -> String {
    unsafe { CStr::from_ptr(c) }.to_string_lossy().into_owned()
}

fn check(status: i32) -> Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(Error { status, message: text(unsafe { lsqnet_last_message() }) }),
    }
}

fn c_text(s: &str) -> Result<CString> {
    CString::new(s).map_err(|_| Error { status: E_ARGUMENT, message: format!("a NUL in {:?}", s) })
}

/// Version of the library that runs.
pub fn version() -> String {
    text(unsafe { lsqnet_version() })
}

/// A C text that lives for ever, or none: what options hold.
#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
pub struct Text(*const c_char);

/// `c("attention\0")`.
pub fn c(text: &'static str) -> Text {
    assert!(text.find('\0').map(|at| at + 1) == Some(text.len()), "{:?} does not end in its only \\0", text);
    Text(text.as_ptr() as *const c_char)
}

/// A pointer that this file alone sets.
#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
pub struct Own(*const c_void);

/// The size of a struct of options: there is one value of each, which `default()` has.
#[repr(transparent)]
pub struct Size<T>(u32, PhantomData<T>);

impl<T> Clone for Size<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Size<T> {}

impl<T> fmt::Debug for Size<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

// Structs as in the headers, field for field.

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ModelOptions {
    pub size: Size<ModelOptions>,
    pub dtype: i32,
    pub rows: i64,
    pub in_width: i64,
    pub out_width: i64,
    pub width: i64,
    pub layers: i64,
    pub mlp_factor: i64,
    pub mlp: i32,
    pub residual: i32,
    pub bias: i32,
    pub mixer_norm: i32,
    pub mlp_norm: i32,
    pub final_norm: i32,
    pub freeze_projections: i32,
    pub freeze_positions: i32,
    pub seed: u64,
    pub mixer: Text,
    pub mixer_config: Text,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ModelStep {
    size: u32,
    pub output: i32,
    pub rows: i64,
    pub dim: i64,
    pub iterates: i64,
    pub step: f64,
    pub task: *const c_char,
    pub prompt: *const c_char,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaskOptions {
    pub size: Size<TaskOptions>,
    pub setting: i32,
    pub rows: i64,
    pub dim: i64,
    pub iterates: i64,
    pub points: i64,
    pub seed: u64,
    pub step: f64,
    pub momentum: f64,
    pub condition: f64,
    pub singular_max: f64,
    pub scale_a: f64,
    pub scale_x: f64,
    pub freedom: f64,
    pub sparsity: f64,
    pub ode_spread: f64,
    pub ode_variance: f64,
    pub ode_initial: f64,
    pub ode_noise: f64,
    pub law_a: i32,
    pub law_x: i32,
    pub normalise_rows: i32,
    pub normalise_x: i32,
    pub ode_class: i32,
    pub ode_points: i32,
    pub name: Text,
    pub prompt: Text,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaskShape {
    size: u32,
    pub reserved: u32,
    pub rows: i64,
    pub in_width: i64,
    pub out_width: i64,
    pub first: i64,
    pub stride: i64,
    pub count: i64,
    pub scored_first: i64,
    pub scored: i64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TrainOptions {
    pub size: Size<TrainOptions>,
    pub fresh_batch: i32,
    pub steps: i64,
    pub batch: i64,
    pub seed: u64,
    pub target: f64,
    pub rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub momentum: f64,
    pub clip: f64,
    pub ema_decay: f64,
    pub ema_lambda: f64,
    pub gamma: f64,
    pub metric_decay: f64,
    pub metric_threshold: f64,
    pub rate_floor: f64,
    pub l1: f64,
    pub damping: f64,
    pub schedule_steps: i64,
    pub no_increase_steps: i64,
    pub metric_every: i64,
    pub metric_batches: i64,
    pub memory: i64,
    pub dims_start: i64,
    pub dims_increment: i64,
    pub dims_interval: i64,
    pub rows_start: i64,
    pub rows_increment: i64,
    pub rows_interval: i64,
    pub optimizer: Text,
    pub schedule: Text,
    pub start_steps: i64,
    pub start_batch: i64,
    pub start_rate: f64,
    pub restarts: i64,
    pub restart_scale: f64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    size: u32,
    pub ended: i32,
    pub step: i64,
    pub loss: f64,
    pub rate: f64,
    pub gradient_norm: f64,
    pub damping: f64,
    pub metric: f64,
    pub fresh_loss: f64,
    pub seconds: f64,
    pub skipped: i64,
    pub phase: i32,
    pub restart: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SolverOptions {
    pub size: Size<SolverOptions>,
    pub method: i32,
    pub tolerance: f64,
    pub step: f64,
    pub iterations: i64,
    pub corrections: i64,
    pub min_norm: i32,
    pub lapack_fallback: i32,
    pub ridge: f64,
    pub seconds: f64,
    pub stop: Own,
    pub stop_user: Own,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Report {
    size: u32,
    pub status: i32,
    pub stopped: i32,
    pub method: i32,
    pub backward_error: f64,
    pub condition: f64,
    pub digits: f64,
    pub residual_norm: f64,
    pub rank: i64,
    pub iterations: i64,
    pub corrections: i64,
    pub orthogonalised: i64,
    pub model_calls: i64,
    pub road: i32,
    pub why: i32,
}

type Handle = *mut c_void;
type ProgressFn = unsafe extern "C" fn(*mut c_void, *const Progress) -> i32;

#[link(name = "lsqnet")]
extern "C" {
    fn lsqnet_status_name(status: i32) -> *const c_char;
    fn lsqnet_last_message() -> *const c_char;
    fn lsqnet_set_message(text: *const c_char);
    fn lsqnet_version() -> *const c_char;
    fn lsqnet_context_create(out: *mut Handle, options: *const c_void) -> i32;
    fn lsqnet_context_destroy(context: Handle);
    fn lsqnet_model_options_init(options: *mut ModelOptions, size: u32) -> i32;
    fn lsqnet_model_create(out: *mut Handle, context: Handle, options: *const ModelOptions) -> i32;
    fn lsqnet_model_load(out: *mut Handle, context: Handle, path: *const c_char, options: *const c_void) -> i32;
    fn lsqnet_model_save(model: Handle, path: *const c_char) -> i32;
    fn lsqnet_model_draw_weights(model: Handle, seed: u64, scale: f64) -> i32;
    fn lsqnet_model_get_step(model: Handle, step: *mut ModelStep, size: u32) -> i32;
    fn lsqnet_model_destroy(model: Handle);
    fn lsqnet_task_options_init(options: *mut TaskOptions, size: u32) -> i32;
    fn lsqnet_task_create(out: *mut Handle, context: Handle, options: *const TaskOptions) -> i32;
    fn lsqnet_task_get_shape(task: Handle, shape: *mut TaskShape, size: u32) -> i32;
    fn lsqnet_task_destroy(task: Handle);
    fn lsqnet_train_options_init(options: *mut TrainOptions, size: u32) -> i32;
    fn lsqnet_trainer_create(out: *mut Handle, model: Handle, task: Handle, options: *const TrainOptions) -> i32;
    fn lsqnet_trainer_step(trainer: Handle, progress: *mut Progress) -> i32;
    fn lsqnet_trainer_run(trainer: Handle, callback: Option<ProgressFn>, user: *mut c_void) -> i32;
    fn lsqnet_trainer_destroy(trainer: Handle);
    fn lsqnet_solver_options_init(options: *mut SolverOptions, size: u32) -> i32;
    fn lsqnet_solver_create(out: *mut Handle, context: Handle, model: Handle, options: *const SolverOptions) -> i32;
    fn lsqnet_solver_solve_f64(
        solver: Handle, m: i64, n: i64, k: i64, a: *const f64, lda: i64, b: *const f64, ldb: i64, x: *mut f64, ldx: i64,
        reports: *mut Report,
    ) -> i32;
    fn lsqnet_solver_destroy(solver: Handle);
}

/// A zeroed struct whose size field, the first, is set: what the library fills.
unsafe fn sized<T>() -> T {
    let mut value = std::mem::zeroed::<T>();
    *(&mut value as *mut T as *mut u32) = std::mem::size_of::<T>() as u32;
    value
}

/// Options with the library's defaults.
unsafe fn defaults<T>(init: unsafe extern "C" fn(*mut T, u32) -> i32) -> T {
    let mut value = sized::<T>();
    assert_eq!(init(&mut value, std::mem::size_of::<T>() as u32), 0, "the library is older than this file");
    value
}

impl Default for ModelOptions {
    fn default() -> Self {
        unsafe { defaults(lsqnet_model_options_init) }
    }
}

impl Default for TaskOptions {
    fn default() -> Self {
        unsafe { defaults(lsqnet_task_options_init) }
    }
}

impl Default for TrainOptions {
    fn default() -> Self {
        unsafe { defaults(lsqnet_train_options_init) }
    }
}

impl Default for SolverOptions {
    fn default() -> Self {
        unsafe { defaults(lsqnet_solver_options_init) }
    }
}

macro_rules! handle {
    ($(#[$about:meta])* $name:ident, $destroy:ident) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name(Handle);

        impl $name {
            fn make(create: impl FnOnce(*mut Handle) -> i32) -> Result<$name> {
                let mut handle = ptr::null_mut();
                check(create(&mut handle)).map(|_| $name(handle))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                unsafe { $destroy(self.0) }
            }
        }
    };
}

handle!(/// Shared by all that is made in it.
    Context, lsqnet_context_destroy);
handle!(/// A model; read-only in passes.
    Model, lsqnet_model_destroy);
handle!(/// Where training pairs come from.
    Task, lsqnet_task_destroy);
handle!(/// A training run.
    Trainer, lsqnet_trainer_destroy);

/// A solver of least-squares problems.
pub struct Solver {
    handle: Handle,
    stop: Option<Box<Stop>>, // where stop_user points
}

impl fmt::Debug for Solver {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("Solver").field(&self.handle).finish()
    }
}

impl Drop for Solver {
    fn drop(&mut self) {
        unsafe { lsqnet_solver_destroy(self.handle) }
    }
}

struct Stop {
    ask: Box<dyn FnMut() -> Result<bool>>,
    failed: Option<Error>,
}

impl Context {
    pub fn new() -> Result<Context> {
        Context::make(|out| unsafe { lsqnet_context_create(out, ptr::null()) })
    }
}

impl Model {
    pub fn new(context: &Context, options: &ModelOptions) -> Result<Model> {
        Model::make(|out| unsafe { lsqnet_model_create(out, context.0, options) })
    }

    pub fn load(context: &Context, path: &str) -> Result<Model> {
        let path = c_text(path)?;
        Model::make(|out| unsafe { lsqnet_model_load(out, context.0, path.as_ptr(), ptr::null()) })
    }

    pub fn save(&self, path: &str) -> Result<()> {
        let path = c_text(path)?;
        check(unsafe { lsqnet_model_save(self.0, path.as_ptr()) })
    }

    pub fn draw_weights(&mut self, seed: u64, scale: f64) -> Result<()> {
        check(unsafe { lsqnet_model_draw_weights(self.0, seed, scale) })
    }

    pub fn step(&self) -> Result<ModelStep> {
        let mut step = unsafe { sized::<ModelStep>() };
        check(unsafe { lsqnet_model_get_step(self.0, &mut step, step.size) }).map(|_| step)
    }
}

impl Task {
    pub fn new(context: &Context, options: &TaskOptions) -> Result<Task> {
        Task::make(|out| unsafe { lsqnet_task_create(out, context.0, options) })
    }

    pub fn shape(&self) -> Result<TaskShape> {
        let mut shape = unsafe { sized::<TaskShape>() };
        check(unsafe { lsqnet_task_get_shape(self.0, &mut shape, shape.size) }).map(|_| shape)
    }
}

/// What a closure of the host's returns: a panic may not pass through C either.
fn caught<T>(closure: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(closure)) {
        Ok(Err(error)) if error.status == 0 => Err(Error { status: E_STOPPED, ..error }), // it is no success
        Ok(outcome) => outcome,
        Err(panic) => {
            Err(Error { status: E_STOPPED, message: format!("the callback panicked: {}", panic_text(panic)) })
        }
    }
}

/// Calls the closure at `user`.
unsafe extern "C" fn call<F: FnMut(&Progress) -> Result<()>>(user: *mut c_void, progress: *const Progress) -> i32 {
    match caught(|| (*(user as *mut F))(&*progress)) {
        Ok(()) => 0,
        Err(error) => {
            let message = CString::new(error.message.replace('\0', " ")).unwrap_or_default();
            lsqnet_set_message(message.as_ptr());
            error.status
        }
    }
}

/// Asks the `Stop` at `user`.
unsafe extern "C" fn ask(user: *mut c_void) -> i32 {
    let stop = &mut *(user as *mut Stop);
    match caught(|| (stop.ask)()) {
        Ok(said) => said as i32,
        Err(error) => {
            stop.failed = Some(error);
            1
        }
    }
}

/// What `panic!` was given.
fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = match panic.downcast_ref::<&str>() {
        Some(text) => text.to_string(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "with no text".to_string()),
    };
    std::mem::forget(panic); // dropping it might panic again
    text
}

impl Trainer {
    pub fn new(model: &mut Model, task: &Task, options: &TrainOptions) -> Result<Trainer> {
        Trainer::make(|out| unsafe { lsqnet_trainer_create(out, model.0, task.0, options) })
    }

    pub fn step(&mut self) -> Result<Progress> {
        let mut progress = unsafe { sized::<Progress>() };
        check(unsafe { lsqnet_trainer_step(self.0, &mut progress) }).map(|_| progress)
    }

    /// Steps to the end, or until the callback fails: `run` then returns its error.
    pub fn run<F: FnMut(&Progress) -> Result<()>>(&mut self, mut callback: F) -> Result<()> {
        let user = &mut callback as *mut F as *mut c_void;
        check(unsafe { lsqnet_trainer_run(self.0, Some(call::<F>), user) })
    }
}

impl Solver {
    /// `None`: the trained models that the library carries.
    pub fn new(context: &Context, model: Option<&Model>) -> Result<Solver> {
        Solver::with(context, model, &SolverOptions::default())
    }

    pub fn with(context: &Context, model: Option<&Model>, options: &SolverOptions) -> Result<Solver> {
        Solver::make(context, model, options, None)
    }

    /// `stop` is asked between steps of a solve: `Ok(true)` ends it, and an error does, which `solve` then returns.
    pub fn stopped_by<F: FnMut() -> Result<bool> + 'static>(
        context: &Context, model: Option<&Model>, options: &SolverOptions, stop: F,
    ) -> Result<Solver> {
        let mut stop = Box::new(Stop { ask: Box::new(stop), failed: None });
        let mut options = *options;
        options.stop = Own(ask as *const c_void);
        options.stop_user = Own(&mut *stop as *mut Stop as *const c_void);
        Solver::make(context, model, &options, Some(stop))
    }

    fn make(
        context: &Context, model: Option<&Model>, options: &SolverOptions, stop: Option<Box<Stop>>,
    ) -> Result<Solver> {
        let model = model.map_or(ptr::null_mut(), |model| model.0);
        let mut handle = ptr::null_mut();
        check(unsafe { lsqnet_solver_create(&mut handle, context.0, model, options) }).map(|_| Solver { handle, stop })
    }

    /// min ||A x - b|| for a row-major A of b.len() rows.
    pub fn solve(&mut self, a: &[f64], b: &[f64]) -> std::result::Result<(Vec<f64>, Report), Unsolved> {
        if b.is_empty() || a.len() % b.len() != 0 {
            let message = format!("A has {} numbers: no multiple of b's {}", a.len(), b.len());
            return Err(Unsolved { error: Error { status: E_SHAPE, message }, x: None, report: None });
        }
        let (m, n) = (b.len() as i64, (a.len() / b.len()) as i64);
        let mut x = vec![0.0; a.len() / b.len()];
        let mut report = unsafe { sized::<Report>() };
        let status = unsafe {
            lsqnet_solver_solve_f64(
                self.handle, m, n, 1, a.as_ptr(), n, b.as_ptr(), 1, x.as_mut_ptr(), 1, &mut report,
            )
        };
        let best = status == E_NOT_CONVERGED || report.stopped == STOP_UNREFINED;
        let failed = self.stop.as_mut().and_then(|stop| stop.failed.take());
        match check(status).map_err(|error| failed.filter(|_| status == E_STOPPED).unwrap_or(error)) {
            Ok(()) => Ok((x, report)),
            Err(error) if report.status == 0 => Err(Unsolved { error, x: None, report: None }), // it did not start
            Err(error) => Err(Unsolved { error, x: Some(x).filter(|_| best), report: Some(report) }),
        }
    }
}
