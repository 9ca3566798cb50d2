! A tour: load a trained model, solve a data set with it, train a small model for a few steps, meet an error.
!
!   gfortran lsqnet.f90 tour.f90 $(pkg-config --libs lsqnet) -o tour
!   ./tour /usr/local/share/lsqnet/models/la-gd1-d8.safetensors ../data/nist/Longley.csv
program tour
  use lsqnet
  implicit none
  type(c_ptr) :: context, model, none
  type(lsqnet_model_step) :: step
  character(1000) :: path, data
  integer(c_int32_t) :: status

  if (command_argument_count() /= 2) error stop "usage: tour MODEL.safetensors DATA.csv"
  call get_command_argument(1, path)
  call get_command_argument(2, data)
  call check(lsqnet_context_create(context, c_null_ptr))
  call check(lsqnet_model_load(model, context, trim(path) // c_null_char, c_null_ptr))
  call check(lsqnet_model_get_step(model, step, int(c_sizeof(step), c_int32_t)))
  print '(3a,i0,a,i0,a)', "liblsqnet ", from_c(lsqnet_version()), ", a model for ", step%rows, " rows and ", &
    step%dim, " unknowns"
  call solve(trim(data))
  call train()

  status = lsqnet_model_load(none, context, "no such file" // c_null_char, c_null_ptr)
  print '(4a)', "error: ", lsqnet_name(status), ": ", lsqnet_message()
  call lsqnet_model_destroy(model)
  call lsqnet_context_destroy(context)

contains

  subroutine check(status)
    integer(c_int32_t), intent(in) :: status
    if (status == LSQNET_OK) return
    print '(3a)', lsqnet_name(status), ": ", lsqnet_message()
    error stop 1
  end subroutine

  ! A with a first column of ones, and b, the last column of a CSV file with a header
  subroutine read_csv(file, a, b)
    character(*), intent(in) :: file
    real(c_double), allocatable, intent(out) :: a(:,:), b(:)
    character(4096) :: line
    integer :: unit, rows, columns, i, ended
    open (newunit=unit, file=file, status="old", action="read")
    read (unit, '(a)') line
    columns = count([(line(i:i) == ",", i = 1, len_trim(line))]) + 1
    rows = -1
    ended = 0
    do while (ended == 0)
      rows = rows + 1
      read (unit, '(a)', iostat=ended) line
    end do
    allocate (a(rows, columns), b(rows))
    rewind (unit)
    read (unit, '(a)') line
    do i = 1, rows
      a(i, 1) = 1
      read (unit, *) a(i, 2:), b(i)
    end do
    close (unit)
  end subroutine

  subroutine solve(file)
    character(*), intent(in) :: file
    real(c_double), allocatable :: a(:,:), b(:), x(:)
    type(c_ptr) :: solver
    type(lsqnet_report) :: report
    integer :: j
    call read_csv(file, a, b)
    allocate (x(size(a, 2)))
    call check(lsqnet_solver_create(solver, context, model, c_null_ptr))
    call check(lsqnet_solve(solver, a, b, x, report))
    do j = 1, size(x)
      print '(a,i0,a,es22.14)', "x[", j - 1, "] = ", x(j)
    end do
    print '(a,f0.1,a)', "about ", report%digits, " right digits"
    call lsqnet_solver_destroy(solver)
  end subroutine

  ! one layer of linear attention learns a step of gradient descent
  subroutine train()
    character(40, c_char), target :: task_name, prompt, mixer, config, optimizer
    type(lsqnet_task_options) :: about
    type(lsqnet_task_shape) :: shape
    type(lsqnet_model_options) :: options
    type(lsqnet_train_options) :: how
    type(lsqnet_progress) :: first, last
    type(c_ptr) :: task, small, trainer

    task_name = "multistep_gd" // c_null_char
    prompt = "split" // c_null_char
    mixer = "attention" // c_null_char
    config = '{"softmax":false,"causal":false}' // c_null_char
    optimizer = "levenberg_marquardt" // c_null_char

    call check(lsqnet_task_options_init(about, int(c_sizeof(about), c_int32_t)))
    about%name = c_loc(task_name)
    about%prompt = c_loc(prompt)
    about%rows = 8
    about%dim = 2
    call check(lsqnet_task_create(task, context, about))
    call check(lsqnet_task_get_shape(task, shape, int(c_sizeof(shape), c_int32_t)))

    call check(lsqnet_model_options_init(options, int(c_sizeof(options), c_int32_t)))
    options%rows = shape%rows
    options%in_width = shape%in_width
    options%out_width = shape%out_width
    options%width = 8
    options%layers = 1
    options%mixer = c_loc(mixer)
    options%mixer_config = c_loc(config)
    call check(lsqnet_model_create(small, context, options))
    call check(lsqnet_model_draw_weights(small, 1_c_int64_t, 0.5_c_double))

    call check(lsqnet_train_options_init(how, int(c_sizeof(how), c_int32_t)))
    how%optimizer = c_loc(optimizer)
    call check(lsqnet_trainer_create(trainer, small, task, how))
    first%size = int(c_sizeof(first), c_int32_t)
    call check(lsqnet_trainer_step(trainer, first))
    last = first
    do while (last%step < 20)
      call check(lsqnet_trainer_step(trainer, last))
    end do
    print '(a,es8.2e2,a,i0,a,es8.2e2)', "training: loss ", first%loss, ", after ", last%step, " steps ", last%loss
    call lsqnet_trainer_destroy(trainer)
    call lsqnet_model_destroy(small)
    call lsqnet_task_destroy(task)
  end subroutine
end program
