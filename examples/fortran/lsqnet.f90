!> liblsqnet from Fortran 2008: interfaces by iso_c_binding, in one file to copy into a project.
!>
!> A function returns a status, LSQNET_OK or another number; lsqnet_name(status) and lsqnet_message() say what it means.
!> Arrays are Fortran's own, column-major, and go in and out as they lie. Handles are type(c_ptr); what is created is
!> destroyed by the caller. Texts are ended by c_null_char: "attention" // c_null_char. The C headers say what each call
!> does and what each option means.
module lsqnet
  use, intrinsic :: iso_c_binding
  implicit none
  public

  integer(c_int32_t), parameter :: LSQNET_OK = 0, LSQNET_E_ARGUMENT = 10, LSQNET_E_SHAPE = 11, LSQNET_E_VERSION = 12, &
    LSQNET_E_MEMORY = 20, LSQNET_E_IO = 30, LSQNET_E_FORMAT = 31, LSQNET_E_NOT_FINITE = 40, &
    LSQNET_E_NOT_CONVERGED = 41, LSQNET_E_RANK = 42, LSQNET_E_UNSUPPORTED = 50, LSQNET_E_STOPPED = 51, &
    LSQNET_E_INTERNAL = 90

  ! structs as in the headers, field for field

  type, bind(c) :: lsqnet_model_options
    integer(c_int32_t) :: size, dtype
    integer(c_int64_t) :: rows, in_width, out_width, width, layers, mlp_factor
    integer(c_int32_t) :: mlp, residual, bias, mixer_norm, mlp_norm, final_norm, freeze_projections, freeze_positions
    integer(c_int64_t) :: seed
    type(c_ptr) :: mixer, mixer_config
  end type

  type, bind(c) :: lsqnet_model_step
    integer(c_int32_t) :: size, output
    integer(c_int64_t) :: rows, dim, iterates
    real(c_double) :: step
    type(c_ptr) :: task, prompt
  end type

  type, bind(c) :: lsqnet_task_options
    integer(c_int32_t) :: size, setting
    integer(c_int64_t) :: rows, dim, iterates, points, seed
    real(c_double) :: step, momentum, condition, singular_max, scale_a, scale_x, freedom, sparsity, ode_spread, &
      ode_variance, ode_initial, ode_noise
    integer(c_int32_t) :: law_a, law_x, normalise_rows, normalise_x, ode_class, ode_points
    type(c_ptr) :: name, prompt
  end type

  type, bind(c) :: lsqnet_task_shape
    integer(c_int32_t) :: size, reserved
    integer(c_int64_t) :: rows, in_width, out_width, first, stride, count, scored_first, scored
  end type

  type, bind(c) :: lsqnet_train_options
    integer(c_int32_t) :: size, fresh_batch
    integer(c_int64_t) :: steps, batch, seed
    real(c_double) :: target, rate, beta1, beta2, epsilon, weight_decay, momentum, clip, ema_decay, ema_lambda, gamma, &
      metric_decay, metric_threshold, rate_floor, l1, damping
    integer(c_int64_t) :: schedule_steps, no_increase_steps, metric_every, metric_batches, memory, dims_start, &
      dims_increment, dims_interval, rows_start, rows_increment, rows_interval
    type(c_ptr) :: optimizer, schedule
    integer(c_int64_t) :: start_steps, start_batch
    real(c_double) :: start_rate
    integer(c_int64_t) :: restarts
    real(c_double) :: restart_scale
  end type

  type, bind(c) :: lsqnet_progress
    integer(c_int32_t) :: size, ended
    integer(c_int64_t) :: step
    real(c_double) :: loss, rate, gradient_norm, damping, metric, fresh_loss, seconds
    integer(c_int64_t) :: skipped
    integer(c_int32_t) :: phase, restart
  end type

  type, bind(c) :: lsqnet_solver_options
    integer(c_int32_t) :: size, method
    real(c_double) :: tolerance, step
    integer(c_int64_t) :: iterations, corrections
    integer(c_int32_t) :: min_norm, lapack_fallback
    real(c_double) :: ridge, seconds
    type(c_funptr) :: stop
    type(c_ptr) :: stop_user
  end type

  type, bind(c) :: lsqnet_report
    integer(c_int32_t) :: size, status, stopped, method
    real(c_double) :: backward_error, condition, digits, residual_norm
    integer(c_int64_t) :: rank, iterations, corrections, orthogonalised, model_calls
    integer(c_int32_t) :: road, why
  end type

  type, bind(c) :: lsqnet_problems
    integer(c_int32_t) :: size, column_major
    integer(c_int64_t) :: count, m, n, k, lda, ldb, ldx, a_stride, b_stride, x_stride, weights_stride
  end type

  interface
    function lsqnet_context_create(out, options) bind(c) result(status)
      import
      type(c_ptr), intent(out) :: out
      type(c_ptr), value :: options
      integer(c_int32_t) :: status
    end function
    subroutine lsqnet_context_destroy(context) bind(c)
      import
      type(c_ptr), value :: context
    end subroutine

    function lsqnet_model_options_init(options, size) bind(c) result(status)
      import
      type(lsqnet_model_options), intent(inout) :: options
      integer(c_int32_t), value :: size
      integer(c_int32_t) :: status
    end function
    function lsqnet_model_create(out, context, options) bind(c) result(status)
      import
      type(c_ptr), intent(out) :: out
      type(c_ptr), value :: context
      type(lsqnet_model_options), intent(in) :: options
      integer(c_int32_t) :: status
    end function
    function lsqnet_model_load(out, context, path, options) bind(c) result(status)
      import
      type(c_ptr), intent(out) :: out
      type(c_ptr), value :: context, options
      character(c_char), intent(in) :: path(*)
      integer(c_int32_t) :: status
    end function
    function lsqnet_model_draw_weights(model, seed, scale) bind(c) result(status)
      import
      type(c_ptr), value :: model
      integer(c_int64_t), value :: seed
      real(c_double), value :: scale
      integer(c_int32_t) :: status
    end function
    function lsqnet_model_get_step(model, step, size) bind(c) result(status)
      import
      type(c_ptr), value :: model
      type(lsqnet_model_step), intent(inout) :: step
      integer(c_int32_t), value :: size
      integer(c_int32_t) :: status
    end function
    subroutine lsqnet_model_destroy(model) bind(c)
      import
      type(c_ptr), value :: model
    end subroutine

    function lsqnet_task_options_init(options, size) bind(c) result(status)
      import
      type(lsqnet_task_options), intent(inout) :: options
      integer(c_int32_t), value :: size
      integer(c_int32_t) :: status
    end function
    function lsqnet_task_create(out, context, options) bind(c) result(status)
      import
      type(c_ptr), intent(out) :: out
      type(c_ptr), value :: context
      type(lsqnet_task_options), intent(in) :: options
      integer(c_int32_t) :: status
    end function
    function lsqnet_task_get_shape(task, shape, size) bind(c) result(status)
      import
      type(c_ptr), value :: task
      type(lsqnet_task_shape), intent(inout) :: shape
      integer(c_int32_t), value :: size
      integer(c_int32_t) :: status
    end function
    subroutine lsqnet_task_destroy(task) bind(c)
      import
      type(c_ptr), value :: task
    end subroutine

    function lsqnet_train_options_init(options, size) bind(c) result(status)
      import
      type(lsqnet_train_options), intent(inout) :: options
      integer(c_int32_t), value :: size
      integer(c_int32_t) :: status
    end function
    function lsqnet_trainer_create(out, model, task, options) bind(c) result(status)
      import
      type(c_ptr), intent(out) :: out
      type(c_ptr), value :: model, task
      type(lsqnet_train_options), intent(in) :: options
      integer(c_int32_t) :: status
    end function
    function lsqnet_trainer_step(trainer, progress) bind(c) result(status)
      import
      type(c_ptr), value :: trainer
      type(lsqnet_progress), intent(inout) :: progress
      integer(c_int32_t) :: status
    end function
    !> callback: c_funloc of a bind(c) function of (user, progress); a status other than LSQNET_OK ends the run
    function lsqnet_trainer_run(trainer, callback, user) bind(c) result(status)
      import
      type(c_ptr), value :: trainer, user
      type(c_funptr), value :: callback
      integer(c_int32_t) :: status
    end function
    subroutine lsqnet_trainer_destroy(trainer) bind(c)
      import
      type(c_ptr), value :: trainer
    end subroutine

    function lsqnet_solver_options_init(options, size) bind(c) result(status)
      import
      type(lsqnet_solver_options), intent(inout) :: options
      integer(c_int32_t), value :: size
      integer(c_int32_t) :: status
    end function
    !> model c_null_ptr: the trained models that the library carries; options: c_loc of lsqnet_solver_options
    function lsqnet_solver_create(out, context, model, options) bind(c) result(status)
      import
      type(c_ptr), intent(out) :: out
      type(c_ptr), value :: context, model, options
      integer(c_int32_t) :: status
    end function
    function lsqnet_solver_solve_batch_f64(solver, problems, a, b, weights, x, reports) bind(c) result(status)
      import
      type(c_ptr), value :: solver, weights
      type(lsqnet_problems), intent(in) :: problems
      real(c_double), intent(in) :: a(*), b(*)
      real(c_double), intent(inout) :: x(*)
      type(lsqnet_report), intent(inout) :: reports(*)
      integer(c_int32_t) :: status
    end function
    subroutine lsqnet_solver_destroy(solver) bind(c)
      import
      type(c_ptr), value :: solver
    end subroutine
    function lsqnet_problems_init(problems, size) bind(c) result(status)
      import
      type(lsqnet_problems), intent(inout) :: problems
      integer(c_int32_t), value :: size
      integer(c_int32_t) :: status
    end function

    subroutine lsqnet_set_message(text) bind(c)
      import
      character(c_char), intent(in) :: text(*)
    end subroutine
    function lsqnet_status_name(status) bind(c) result(name)
      import
      integer(c_int32_t), value :: status
      type(c_ptr) :: name
    end function
    function lsqnet_last_message() bind(c) result(text)
      import
      type(c_ptr) :: text
    end function
    function lsqnet_version() bind(c) result(text)
      import
      type(c_ptr) :: text
    end function
  end interface

contains

  !> min ||A x - b||: A (m,n) as it lies, b (m), x (n). LSQNET_E_NOT_CONVERGED leaves the best x. The report of a call
  !> that is refused has its status, and zeros.
  function lsqnet_solve(solver, a, b, x, report) result(status)
    type(c_ptr), intent(in) :: solver
    real(c_double), intent(in), contiguous :: a(:,:), b(:)
    real(c_double), intent(inout), contiguous :: x(:)
    type(lsqnet_report), intent(out) :: report
    integer(c_int32_t) :: status
    type(lsqnet_problems) :: problems
    type(lsqnet_report) :: reports(1)
    character(160) :: text
    report = lsqnet_report(int(c_sizeof(report), c_int32_t), LSQNET_E_SHAPE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    if (size(b) /= size(a, 1) .or. size(x) /= size(a, 2)) then
      write (text, '(4(a, i0), a)') "A is ", size(a, 1), " x ", size(a, 2), ", b has ", size(b), " numbers and x ", &
        size(x), ": they must be m x n, m and n"
      call lsqnet_set_message(trim(text) // c_null_char)
      status = LSQNET_E_SHAPE
      return
    end if
    status = lsqnet_problems_init(problems, int(c_sizeof(problems), c_int32_t))
    report%status = status
    if (status /= LSQNET_OK) return
    problems%column_major = 1
    problems%m = size(a, 1)
    problems%n = size(a, 2)
    reports(1) = report
    status = lsqnet_solver_solve_batch_f64(solver, problems, a, b, c_null_ptr, x, reports)
    report = reports(1)
    if (status /= LSQNET_OK .and. report%status == LSQNET_OK) report%status = status ! it did not start
  end function

  !> The library's message of the last failed call.
  function lsqnet_message() result(text)
    character(:), allocatable :: text
    text = from_c(lsqnet_last_message())
  end function

  !> Name of a status, e.g. "LSQNET_E_IO".
  function lsqnet_name(status) result(text)
    integer(c_int32_t), intent(in) :: status
    character(:), allocatable :: text
    text = from_c(lsqnet_status_name(status))
  end function

  !> A C text as a Fortran one.
  function from_c(pointer) result(text)
    type(c_ptr), intent(in) :: pointer
    character(:), allocatable :: text
    character(c_char), pointer :: characters(:)
    integer :: i
    text = ""
    call c_f_pointer(pointer, characters, [4096])
    do i = 1, size(characters)
      if (characters(i) == c_null_char) exit
      text = text // characters(i)
    end do
  end function
end module
