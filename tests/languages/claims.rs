//! What lsqnet.rs promises.
mod lsqnet;

use lsqnet::{c, Context, Error, Model, ModelOptions, Solver, Task, TaskOptions, TrainOptions, Trainer};

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

    let error = solver.solve(&[1.0, 2.0, 2.0, 4.0, 3.0, 6.0], &[1.0, 2.0, 3.0]).unwrap_err();
    assert!(error.name() == "LSQNET_E_RANK" && error.message.contains("rank"), "{}", error);
    let error = solver.solve(&[1.0, 2.0, 3.0], &[1.0, 2.0]).unwrap_err();
    assert!(error.status == lsqnet::E_SHAPE, "{}", error);
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
    let error = run.run(|_| panic!("no luck")).unwrap_err();
    assert!(error.status == lsqnet::E_STOPPED && error.message.contains("panicked"), "{}", error);
    assert!(run.step().is_ok()); // the state is whole
    assert!(run.run(|_| Ok(())).is_ok());
    println!("lsqnet.rs: all claims hold");
}
