//! A tour: load a trained model, solve a data set with it, train a small model for a few steps, meet an error.
//!
//!   rustc tour.rs -L $(pkg-config --variable=libdir lsqnet)
//!   ./tour /usr/local/share/lsqnet/models/la-gd1-d8.safetensors ../data/nist/Longley.csv
mod lsqnet;

use lsqnet::{c, Context, Model, ModelOptions, Solver, Task, TaskOptions, TrainOptions, Trainer};
use std::error::Error;

/// A with a first column of ones, and b, the last column of a CSV file with a header.
fn read_csv(path: &str) -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for line in std::fs::read_to_string(path)?.lines().skip(1) {
        let row = line.split(',').map(|cell| cell.parse()).collect::<Result<Vec<f64>, _>>()?;
        if let Some((last, predictors)) = row.split_last() {
            a.push(1.0);
            a.extend(predictors);
            b.push(*last);
        }
    }
    Ok((a, b))
}

fn solve(context: &Context, model: &Model, path: &str) -> Result<(), Box<dyn Error>> {
    let (a, b) = read_csv(path)?;
    let (x, report) = Solver::new(context, Some(model))?.solve(&a, &b)?;
    for (j, value) in x.iter().enumerate() {
        println!("x[{}] = {:.14e}", j, value);
    }
    println!("about {:.1} right digits", report.digits);
    Ok(())
}

/// One layer of linear attention learns a step of gradient descent.
fn train(context: &Context) -> lsqnet::Result<()> {
    let task = Task::new(
        context,
        &TaskOptions { name: c("multistep_gd\0"), prompt: c("split\0"), rows: 8, dim: 2, ..Default::default() },
    )?;
    let shape = task.shape()?;
    let mut model = Model::new(
        context,
        &ModelOptions {
            rows: shape.rows,
            in_width: shape.in_width,
            out_width: shape.out_width,
            width: 8,
            layers: 1,
            mixer: c("attention\0"),
            mixer_config: c("{\"softmax\":false,\"causal\":false}\0"),
            ..Default::default()
        },
    )?;
    model.draw_weights(1, 0.5)?;
    let how = TrainOptions { optimizer: c("levenberg_marquardt\0"), ..Default::default() };
    let mut trainer = Trainer::new(&mut model, &task, &how)?;
    let first = trainer.step()?;
    let mut last = first;
    while last.step < 20 {
        last = trainer.step()?;
    }
    println!("training: loss {:.2e}, after {} steps {:.2e}", first.loss, last.step, last.loss);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 {
        return Err("usage: tour MODEL.safetensors DATA.csv".into());
    }
    let context = Context::new()?;
    let model = Model::load(&context, &arguments[1])?;
    let step = model.step()?;
    println!("liblsqnet {}, a model for {} rows and {} unknowns", lsqnet::version(), step.rows, step.dim);
    solve(&context, &model, &arguments[2])?;
    train(&context)?;
    if let Err(error) = Model::load(&context, "no such file") {
        println!("error: {}", error);
    }
    Ok(())
}
