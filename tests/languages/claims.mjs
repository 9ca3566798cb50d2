// What lsqnet.mjs promises.
import assert from "node:assert/strict";
import { Context, LsqnetError, Model, Solver, Task, Trainer } from "./lsqnet.mjs";

function fails(status, words, body) {
  let got;
  assert.throws(body, (error) => {
    got = error;
    return error instanceof LsqnetError && error.status === status && error.message.includes(words);
  });
  return got;
}

const context = new Context();
const solver = new Solver(context);
const { x, report } = solver.solve(Float64Array.of(1, 1, 1, 2, 1, 3), Float64Array.of(3, 5, 7));
assert.deepEqual([...x], [1, 2]);
assert.equal(report.rank, 2);

const dependent = () => solver.solve(Float64Array.of(1, 2, 2, 4, 3, 6), Float64Array.of(1, 2, 3));
assert.equal(fails(42, "rank", dependent).name, "LSQNET_E_RANK");
assert.throws(() => solver.solve([1, 2], [1, 2]), TypeError);
assert.throws(() => new Task(context, "identity", { colour: 3 }), TypeError);
fails(10, "juggle", () => new Task(context, "juggle"));

function trainer() {
  const task = new Task(context, "identity");
  const { rows, in_width, out_width } = task.shape;
  const model = new Model(context, { rows, in_width, out_width, width: 4, layers: 1 });
  const made = new Trainer(model, task, { batch: 4, steps: 10 });
  model.close();
  task.close(); // the trainer holds both
  return made;
}

const run = trainer();
const error = fails(51, "Error: enough", () => run.run(({ step }) => {
  if (step === 3) throw new Error("enough");
}));
assert.equal(error.cause.message, "enough");
assert.equal(run.step().step, 4); // the state is whole
run.run();
fails(30, "the disk is full", () => trainer().run(() => {
  throw new LsqnetError(30, "the disk is full");
}));

solver.close();
solver.close();
fails(10, "NULL", () => solver.solve(Float64Array.of(1), Float64Array.of(1)));
console.log("lsqnet.mjs: all claims hold");
