//! What lsqnet.rs promises.
mod lsqnet;

use lsqnet::{c, Context, Error, Model, ModelOptions, Solver, SolverOptions, Task, TaskOptions, TrainOptions, Trainer};

fn trainer(context: &Context) -> Trainer {
    let task = Task::new(context, &TaskOptions { name: c("identity\0"), ..Default::default() }).unwrap();
    let shape = task.shape().unwrap();
    let options = ModelOptions {
        rows: shape.rows,
        in_width: shape.in_width,
        out_width: shape.out_width,
        width: 4,
        layers: 1,
        ..Default::default()
    };
    let mut model = Model::new(context, &options).unwrap();
    Trainer::new(&mut model, &task, &TrainOptions { batch: 4, steps: 10, ..Default::default() }).unwrap()
} // model and task go before the trainer

fn main() {
    let options = TrainOptions::default();
    assert!(options.restart_scale == 1.0 && options.start_rate == 4e-3 && options.steps == 10000);
    let _: lsqnet::Text = options.optimizer; // made by c() alone: no pointer of the caller's
    assert!(TaskOptions::default().scale_x == 1.0 && ModelOptions::default().width == 64);

    let context = Context::new().unwrap();
    let mut solver = Solver::new(&context, None).unwrap();
    let (x, report) = solver.solve(&[1.0, 1.0, 1.0, 2.0, 1.0, 3.0], &[3.0, 5.0, 7.0]).unwrap();
    assert!(x == [1.0, 2.0] && report.rank == 2 && report.status == 0);

    let unsolved = solver.solve(&[1.0, 2.0, 2.0, 4.0, 3.0, 6.0], &[1.0, 2.0, 3.0]).unwrap_err();
    let report = unsolved.report.unwrap();
    assert!(unsolved.x.is_none() && report.status == lsqnet::E_RANK && report.rank == 1);
    let error = Error::from(unsolved);
    assert!(error.name() == "LSQNET_E_RANK" && error.message.contains("rank"), "{}", error);
    let unsolved = solver.solve(&[1.0, 2.0, 3.0], &[1.0, 2.0]).unwrap_err();
    assert!(unsolved.error.status == lsqnet::E_SHAPE && unsolved.report.is_none(), "{}", unsolved);

    // what did not converge has its best x and its report all the same; so has what was not to be refined
    for options in [
        SolverOptions { method: 1, iterations: 5, corrections: 1, ..Default::default() },
        SolverOptions { corrections: 0, ..Default::default() },
    ] {
        let mut hasty = Solver::with(&context, None, &options).unwrap();
        let unsolved = hasty.solve(&[1.0, 1.0, 1.0, 2.0, 1.0, 3.0], &[3.0, 5.0, 7.1]).unwrap_err();
        let (x, report) = (unsolved.x.unwrap(), unsolved.report.unwrap());
        assert!(unsolved.error.status == lsqnet::E_NOT_CONVERGED && report.status == lsqnet::E_NOT_CONVERGED);
        assert!(x.iter().all(|value| value.abs() > 0.1 && value.abs() < 10.0), "{:?} {:?}", x, report);
    }
    let error = Model::load(&context, "no\0such").unwrap_err();
    assert!(error.name() == "LSQNET_E_ARGUMENT", "{}", error);

    let mut steps = 0;
    let error = trainer(&context)
        .run(|progress| {
            steps = progress.step;
            if steps < 3 { Ok(()) } else { Err(Error { status: 30, message: "the disk is full".to_string() }) }
        })
        .unwrap_err();
    assert!(steps == 3 && error.status == 30 && error.message == "the disk is full", "{}", error);

    let error = trainer(&context)
        .run(|_| Err(Error { status: 0, message: "no luck".to_string() }))
        .unwrap_err();
    assert!(error.status == lsqnet::E_STOPPED && error.message == "no luck", "{}", error);

    std::panic::set_hook(Box::new(|_| ()));
    let mut run = trainer(&context);
    for (number, words) in ["no luck", "no luck in step 2", "with no text"].iter().enumerate() {
        let error = run
            .run(|progress| match number {
                0 => panic!("no luck"),
                1 => panic!("no luck in step {}", progress.step),
                _ => std::panic::panic_any(number),
            })
            .unwrap_err();
        assert!(error.status == lsqnet::E_STOPPED && error.message.ends_with(words), "{}", error);
        assert!(error.message.starts_with("the callback panicked: "), "{}", error);
    }
    assert!(run.step().is_ok()); // the state is whole
    assert!(run.run(|_| Ok(())).is_ok());
    println!("lsqnet.rs: all claims hold");
}
