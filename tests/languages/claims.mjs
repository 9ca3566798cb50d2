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
const rank = fails(42, "rank", dependent);
assert.equal(rank.name, "LSQNET_E_RANK");
assert.ok(rank.report.status === 42 && rank.report.rank === 1 && !("x" in rank));
// what did not converge has its best x and its report all the same; so has what was not to be refined
for (const options of [{ method: 1, iterations: 5, corrections: 1 }, { corrections: 0 }]) {
  const hasty = new Solver(context, null, options);
  const best = fails(41, "", () => hasty.solve(Float64Array.of(1, 1, 1, 2, 1, 3), Float64Array.of(3, 5, 7.1)));
  assert.equal(best.report.status, 41);
  assert.ok(best.x.length === 2 && best.x.every((value) => Math.abs(value) > 0.1 && Math.abs(value) < 10), `${best.x}`);
}
assert.throws(() => new Solver(context, null, { stop: 5 }), TypeError);
assert.throws(() => new Solver(context, null, { tolerance: "1" }), TypeError);
assert.throws(() => solver.solve([1, 2], [1, 2]), TypeError);
assert.throws(() => new Task(context, "identity", { colour: 3 }), TypeError);
fails(10, "juggle", () => new Task(context, "juggle"));

// values of the wrong kind, which must not reach koffi
const wrong = { rows: ["x", 1.5, null, undefined, true, {}, 2n ** 63n], seed: [-1], mixer: [5, "a\0b", {}] };
for (const [name, values] of Object.entries(wrong))
  for (const value of values)
    assert.throws(() => new Model(context, { [name]: value }),
      { name: "TypeError", message: new RegExp(`^${name} is `) });
const more = [{ rows: null }, { step: "1" }, { step: 1n }, { law_a: 2 ** 31 }, { prompt: Object.create(null) }];
for (const options of more) assert.throws(() => new Task(context, "identity", options), TypeError);
assert.throws(() => Model.load(context, 5), TypeError);
assert.throws(() => new Solver(context, new Task(context, "identity")), TypeError);
assert.throws(() => new Solver(solver), TypeError);
assert.throws(() => new Model(null, { rows: 1 }), TypeError);
assert.throws(() => new Solver(context, Object.assign(Object.create(Model.prototype), { handle: 5 })), TypeError);
let reads = 0; // an option is read once, so that what has been checked is what koffi gets
new Solver(context, null, { get tolerance() { return reads++ ? "boom" : 0; } });
assert.equal(reads, 1);
assert.equal(new Task(context, "identity", { rows: 7n, seed: 2n ** 64n - 1n, setting: 0n }).shape.rows, 7);

function trainer() {
  const task = new Task(context, "identity");
  const { rows, in_width, out_width } = task.shape;
  const model = new Model(context, { rows, in_width, out_width, width: 4, layers: 1 });
  const made = new Trainer(model, task, { batch: 4, steps: 10 });
  assert.throws(() => new Trainer(model, task, { steps: "10" }), TypeError);
  assert.throws(() => new Trainer(task, model), TypeError);
  assert.throws(() => model.drawWeights("1", 1), TypeError);
  model.close();
  task.close(); // the trainer holds both
  fails(10, "closed", () => new Solver(context, model));
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
fails(51, "no luck", () => trainer().run(() => {
  throw new LsqnetError(0, "no luck");
}));
fails(51, "no text", () => trainer().run(() => {
  throw Object.create(null);
}));
for (const word of [5, null, "run", {}]) assert.throws(() => trainer().run(word), TypeError);
const losses = [];
trainer().run(({ loss }) => losses.push(loss)); // what a callback returns says nothing
assert.equal(losses.length, 10);

solver.close();
solver.close();
fails(10, "is closed", () => solver.solve(Float64Array.of(1), Float64Array.of(1)));
const closed = [new Task(context, "identity"), new Model(context, { rows: 3, in_width: 2, out_width: 2 }), trainer()];
for (const object of closed) object.close();
for (const use of [() => closed[0].shape, () => closed[1].step, () => closed[1].save("x"), () => closed[2].step(),
  () => closed[1].drawWeights(1, 1), () => closed[2].run()])
  fails(10, "is closed", use);

// what is in use is neither closed nor used
const used = trainer();
fails(10, "cannot be closed", () => used.run(() => used.close()));
fails(10, "in use", () => used.run(() => used.step()));
fails(10, "in use", () => used.run(() => used.run()));
assert.equal(used.step().step, 4);

// a stop ends a solve
const problem = [Float64Array.of(1, 1, 1, 2, 1, 3), Float64Array.of(3, 5, 7)];
for (const word of [true, 1, "yes"])
  fails(51, "stopped by the caller", () => new Solver(context, null, { stop: () => word }).solve(...problem));
let times = 0;
const asking = new Solver(context, null, { stop: () => { times++; } });
assert.deepEqual([...asking.solve(...problem).x], [1, 2]);
assert.ok(times > 0);
asking.close();
const gone = new Solver(context, null, { stop() { throw new LsqnetError(30, "disk gone"); } });
const disk = fails(30, "disk gone", () => gone.solve(...problem));
assert.ok(disk.cause.message === "disk gone" && disk.report.stopped === 10);
fails(51, "TypeError: no luck", () => new Solver(context, null, { stop() { throw new TypeError("no luck"); } })
  .solve(...problem));
const own = new Solver(context, null, { stop: () => own.solve(...problem) });
fails(10, "in use", () => own.solve(...problem));
const closing = new Solver(context, null, { stop: () => closing.close() });
fails(10, "cannot be closed", () => closing.solve(...problem));
closing.close();
for (let i = 0; i < 9000; i++) new Solver(context, null, { stop: () => false }).close(); // callbacks are given back
assert.throws(() => new Solver(context, null, { stop() {}, method: 77 }), LsqnetError);

// the size of a struct is not the caller's
assert.throws(() => new Solver(context, null, { size: 1e9 }), TypeError);
assert.throws(() => new Model(context, { size: 112, rows: 3 }), TypeError);
console.log("lsqnet.mjs: all claims hold");
