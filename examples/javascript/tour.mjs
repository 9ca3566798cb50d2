// A tour: load a trained model, solve a data set with it, train a small model for a few steps, meet an error.
//
//   npm install koffi
//   node tour.mjs /usr/local/share/lsqnet/models/la-gd1-d8.safetensors ../data/nist/Longley.csv
import { readFileSync } from "node:fs";
import { Context, LsqnetError, Model, Solver, Task, Trainer, version } from "./lsqnet.mjs";

function solve(context, model, path) {
  const lines = readFileSync(path, "utf8").trim().split("\n").slice(1); // the last column is b
  const rows = lines.map((line) => line.split(",").map(Number));
  const a = Float64Array.from(rows.flatMap((row) => [1, ...row.slice(0, -1)]));
  const b = Float64Array.from(rows.map((row) => row.at(-1)));
  const { x, report } = new Solver(context, model).solve(a, b);
  x.forEach((value, j) => console.log(`x[${j}] = ${value}`));
  console.log(`about ${report.digits.toFixed(1)} right digits`);
}

// One layer of linear attention learns a step of gradient descent.
function train(context) {
  const task = new Task(context, "multistep_gd", { prompt: "split", rows: 8, dim: 2 });
  const { rows, in_width, out_width } = task.shape;
  const model = new Model(context, {
    rows, in_width, out_width, width: 8, layers: 1,
    mixer: "attention", mixer_config: JSON.stringify({ softmax: false, causal: false }),
  });
  model.drawWeights(1, 0.5);
  const trainer = new Trainer(model, task, { optimizer: "levenberg_marquardt" });
  const first = trainer.step();
  let last = first;
  while (last.step < 20) last = trainer.step();
  console.log(`training: loss ${first.loss.toExponential(2)}, after ${last.step} steps ${last.loss.toExponential(2)}`);
}

const [path, data] = process.argv.slice(2);
const context = new Context();
const model = Model.load(context, path);
console.log(`liblsqnet ${version()}, a model for ${model.step.rows} rows and ${model.step.dim} unknowns`);
solve(context, model, data);
train(context);
try {
  Model.load(context, "no such file");
} catch (error) {
  if (!(error instanceof LsqnetError)) throw error;
  console.log(`error: ${error.name}: ${error.message}`);
}
