! What lsqnet.f90 promises.
module callbacks
  use lsqnet
  implicit none
contains
  function stop_at_three(user, progress) bind(c) result(status)
    type(c_ptr), value :: user
    type(lsqnet_progress), intent(in) :: progress
    integer(c_int32_t) :: status
    status = LSQNET_OK
    if (progress%step < 3 .or. c_associated(user)) return
    call lsqnet_set_message("three are enough" // c_null_char)
    status = LSQNET_E_STOPPED
  end function

  ! solves with the solver at user, which is in the call that asks
  function solve_inside(user) bind(c) result(word)
    type(c_ptr), value :: user
    integer(c_int32_t) :: word
    type(c_ptr), pointer :: own
    type(lsqnet_report) :: report
    real(c_double) :: x(1)
    call c_f_pointer(user, own)
    word = merge(1, 0, lsqnet_solve(own, reshape([1d0, 2d0], [2, 1]), [1d0, 2d0], x, report) == LSQNET_E_ARGUMENT .and. &
      index(lsqnet_message(), "the solver is in use") > 0)
  end function
end module

program claims
  use callbacks
  implicit none
  type(c_ptr) :: context, solver, hasty, task, model, trainer
  type(c_ptr), target :: own
  type(lsqnet_report) :: report
  type(lsqnet_solver_options), target :: limits
  type(lsqnet_task_options) :: about
  type(lsqnet_task_shape) :: shape
  type(lsqnet_model_options) :: options
  type(lsqnet_train_options) :: how
  character(20, c_char), target :: name
  real(c_double) :: a(3, 2), x(2), short(1), wide(6, 4)
  integer(c_int32_t) :: statuses(12)
  character(400) :: names
  integer :: i

  call claim(lsqnet_context_create(context, c_null_ptr) == LSQNET_OK, "context")
  call claim(lsqnet_solver_create(solver, context, c_null_ptr, c_null_ptr) == LSQNET_OK, "solver")
  a = reshape([1d0, 1d0, 1d0, 1d0, 2d0, 3d0], [3, 2])
  call claim(lsqnet_solve(solver, a, [3d0, 5d0, 7d0], x, report) == LSQNET_OK, "solve")
  call claim(all(abs(x - [1d0, 2d0]) < 1d-14) .and. report%rank == 2, "x is (1, 2)")
  call claim(lsqnet_solve(solver, a, [3d0, 5d0, 7d0], short, report) == LSQNET_E_SHAPE, "an x too short")
  call claim(lsqnet_message() == "A is 3 x 2, b has 3 numbers and x 1: they must be m x n, m and n", lsqnet_message())
  call claim(report%status == LSQNET_E_SHAPE .and. report%rank == 0 .and. abs(report%digits) < 1d-99, "its report")
  call claim(lsqnet_solve(c_null_ptr, a, [3d0, 5d0, 7d0], x, report) == LSQNET_E_ARGUMENT, "no solver")
  call claim(report%status == LSQNET_E_ARGUMENT .and. report%rank == 0 .and. report%stopped == 0, "its report")
  call claim(lsqnet_solve(solver, a(:, :0), [3d0, 5d0, 7d0], x(:0), report) == LSQNET_E_SHAPE, "no unknowns")
  call claim(report%status == LSQNET_E_SHAPE .and. report%iterations == 0, "its report")
  statuses = [LSQNET_E_ARGUMENT, LSQNET_E_SHAPE, LSQNET_E_VERSION, LSQNET_E_MEMORY, LSQNET_E_IO, LSQNET_E_FORMAT, &
    LSQNET_E_NOT_FINITE, LSQNET_E_NOT_CONVERGED, LSQNET_E_RANK, LSQNET_E_UNSUPPORTED, LSQNET_E_STOPPED, &
    LSQNET_E_INTERNAL]
  names = ""
  do i = 1, size(statuses)
    names = trim(names) // " " // text_after(lsqnet_name(statuses(i)), "LSQNET_E_")
  end do
  call claim(names == " ARGUMENT SHAPE VERSION MEMORY IO FORMAT NOT_FINITE NOT_CONVERGED RANK UNSUPPORTED STOPPED" // &
    " INTERNAL", trim(names))
  call claim(lsqnet_solver_options_init(limits, int(c_sizeof(limits), c_int32_t)) == LSQNET_OK, "solver options")
  call claim(limits%corrections == 50 .and. .not. c_associated(limits%stop_user), "their defaults")
  limits%method = 1
  limits%iterations = 5
  limits%corrections = 1
  call claim(lsqnet_solver_create(hasty, context, c_null_ptr, c_loc(limits)) == LSQNET_OK, "solver with options")
  x = 0
  call claim(lsqnet_solve(hasty, a, [3d0, 5d0, 7.1d0], x, report) == LSQNET_E_NOT_CONVERGED, "five iterations")
  call claim(all(abs(x - [14d0 / 15, 2.05d0]) < 1d-6) .and. report%status == LSQNET_E_NOT_CONVERGED, "best x")
  call lsqnet_solver_destroy(hasty)
  limits%stop = c_funloc(solve_inside)
  limits%stop_user = c_loc(own)
  call claim(lsqnet_solver_create(own, context, c_null_ptr, c_loc(limits)) == LSQNET_OK, "solver with a stop")
  call claim(lsqnet_solve(own, a, [3d0, 5d0, 7d0], x, report) == LSQNET_E_STOPPED, "a stop")
  call claim(report%stopped == 10 .and. lsqnet_message() == "stopped by the caller", lsqnet_message())
  call lsqnet_solver_destroy(own)
  wide = 0
  wide(1:5:2, 2:3) = a
  call claim(lsqnet_solve(solver, wide(1:5:2, 2:3), [3d0, 5d0, 7d0], x, report) == LSQNET_OK, "a section")
  call claim(all(abs(x - [1d0, 2d0]) < 1d-14), "its x")
  a(:, 2) = 2 * a(:, 1)
  call claim(lsqnet_solve(solver, a, [3d0, 5d0, 7d0], x, report) == LSQNET_E_RANK, "rank")
  call claim(index(lsqnet_message(), "rank") > 0 .and. lsqnet_name(LSQNET_E_RANK) == "LSQNET_E_RANK", lsqnet_message())

  name = "identity" // c_null_char
  call claim(lsqnet_task_options_init(about, int(c_sizeof(about), c_int32_t)) == LSQNET_OK, "task options")
  call claim(abs(about%scale_x - 1) < 1d-15 .and. about%points == 25, "their defaults")
  about%name = c_loc(name)
  call claim(lsqnet_task_create(task, context, about) == LSQNET_OK, "task")
  call claim(lsqnet_task_get_shape(task, shape, int(c_sizeof(shape), c_int32_t)) == LSQNET_OK, "shape")
  call claim(lsqnet_model_options_init(options, int(c_sizeof(options), c_int32_t)) == LSQNET_OK, "model options")
  options%rows = shape%rows
  options%in_width = shape%in_width
  options%out_width = shape%out_width
  options%width = 4
  options%layers = 1
  call claim(lsqnet_model_create(model, context, options) == LSQNET_OK, "model")
  call claim(lsqnet_train_options_init(how, int(c_sizeof(how), c_int32_t)) == LSQNET_OK, "train options")
  call claim(abs(how%restart_scale - 1) < 1d-15 .and. how%steps == 10000, "their defaults")
  how%batch = 4
  call claim(lsqnet_trainer_create(trainer, model, task, how) == LSQNET_OK, "trainer")
  call lsqnet_model_destroy(model)
  call lsqnet_task_destroy(task)
  call claim(lsqnet_trainer_run(trainer, c_funloc(stop_at_three), c_null_ptr) == LSQNET_E_STOPPED, "a callback")
  call claim(lsqnet_message() == "three are enough", lsqnet_message())
  call lsqnet_trainer_destroy(trainer)
  call lsqnet_solver_destroy(solver)
  call lsqnet_context_destroy(context)
  print '(a)', "lsqnet.f90: all claims hold"

contains

  function text_after(text, start) result(rest)
    character(*), intent(in) :: text, start
    character(:), allocatable :: rest
    rest = text(index(text, start) + len(start):)
  end function

  subroutine claim(holds, what)
    logical, intent(in) :: holds
    character(*), intent(in) :: what
    if (holds) return
    print '(2a)', "does not hold: ", what
    error stop 1
  end subroutine
end program
