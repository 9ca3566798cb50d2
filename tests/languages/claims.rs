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
    // a stop ends a solve, by its word or with its error
    let (a, b) = ([1.0, 1.0, 1.0, 2.0, 1.0, 3.0], [3.0, 5.0, 7.0]);
    let stops: [(fn() -> lsqnet::Result<bool>, i32, &str); 4] = [
        (|| Ok(true), lsqnet::E_STOPPED, "stopped by the caller"),
        (|| Err(Error { status: lsqnet::E_IO, message: "disk gone".to_string() }), lsqnet::E_IO, "disk gone"),
        (|| Err(Error { status: 0, message: "no luck".to_string() }), lsqnet::E_STOPPED, "no luck"),
        (|| panic!("no luck"), lsqnet::E_STOPPED, "the callback panicked: no luck"),
    ];
    std::panic::set_hook(Box::new(|_| ()));
    for (stop, status, words) in stops {
        let mut ended = Solver::stopped_by(&context, None, &SolverOptions::default(), stop).unwrap();
        let unsolved = ended.solve(&a, &b).unwrap_err();
        assert!(unsolved.error.status == status && unsolved.error.message == words, "{}", unsolved);
        assert!(unsolved.report.unwrap().stopped == 10 && unsolved.x.is_none());
    }
    let asked = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = asked.clone();
    let stop = move || {
        count.set(count.get() + 1);
        Ok(false)
    };
    let mut going_on = Solver::stopped_by(&context, None, &SolverOptions::default(), stop).unwrap();
    assert!(going_on.solve(&a, &b).unwrap().0 == [1.0, 2.0] && asked.get() > 0);
    drop(going_on);
    assert!(std::rc::Rc::strong_count(&asked) == 1); // the closure went with its solver

    // no other size than the struct's own
    let _: lsqnet::Size<SolverOptions> = SolverOptions { ridge: 1.0, ..Default::default() }.size;
    let statuses = [
        lsqnet::E_ARGUMENT, lsqnet::E_SHAPE, lsqnet::E_VERSION, lsqnet::E_MEMORY, lsqnet::E_IO, lsqnet::E_FORMAT,
        lsqnet::E_NOT_FINITE, lsqnet::E_NOT_CONVERGED, lsqnet::E_RANK, lsqnet::E_UNSUPPORTED, lsqnet::E_STOPPED,
        lsqnet::E_INTERNAL,
    ];
    let named = |status: &i32| Error { status: *status, message: String::new() }.name();
    let names: Vec<String> = statuses.iter().map(named).collect();
    assert!(
        names.join(" ").replace("LSQNET_E_", "")
            == "ARGUMENT SHAPE VERSION MEMORY IO FORMAT NOT_FINITE NOT_CONVERGED RANK UNSUPPORTED STOPPED INTERNAL"
    );

    for text in ["identity", "", "identity\0 or not\0"] {
        assert!(std::panic::catch_unwind(|| c(text)).is_err(), "{:?}", text); // what C would cut, or not end
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
