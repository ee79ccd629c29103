// What a queue of others does with the load that slipway-bench gives the dispatcher. Prints one line
// of JSON. Usage: node queue_peer.cjs bullmq|graphile|temporal drain|grant|add|hold ADDRESS NUMBER...
//   drain TASKS WORKERS      queues them in pieces of 250 and works at them; tasks a second
//   grant RATE SECONDS       queues one at random times while workers wait; microseconds to a worker
//   add TASKS                  queues them
//   hold LOCK_MS WORK_MS       (bullmq) works at tasks until its input ends, says what became of each
'use strict';

const PAYLOAD = 'd'.repeat(1024);
const CHUNK = 250;

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.floor(share * (sorted.length - 1))];
}

function microseconds() {
  return Number(process.hrtime.bigint() / 1000n);
}

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function bullmq(address) {
  const { Queue, Worker } = require('bullmq');
  const connection = { path: address, maxRetriesPerRequest: null };
  const queue = new Queue('bench', { connection });
  return {
    addMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: 'task', data }))),
    add: (payload) => queue.add('task', payload),
    async work(workers, handle, onDone) {
      const worker = new Worker('bench', async (job) => handle(job.data),
                                { connection, concurrency: workers });
      worker.on('completed', onDone);
      await worker.waitUntilReady();
      return () => worker.close();
    },
    close: () => queue.close(),
    Worker,
    queue,
    connection,
  };
}

async function graphile(address) {
  const { run, makeWorkerUtils, Logger } = require('graphile-worker');
  const { Pool } = require('pg');
  const pool = new Pool({ host: address, user: 'bench', database: 'postgres', max: 70 });
  const logger = new Logger(() => () => {});
  const tools = await makeWorkerUtils({ pgPool: pool, logger });
  await tools.migrate();
  return {
    addMany: (payloads) => tools.addJobs(payloads.map((payload) => (
      { identifier: 'task', payload, maxAttempts: 3 }))),
    add: (payload) => tools.addJob('task', payload, { maxAttempts: 3 }),
    async work(workers, handle, onDone) {
      const runner = await run({ pgPool: pool, logger, concurrency: workers, noHandleSignals: true,
                                 taskList: { task: handle } });
      runner.events.on('job:success', onDone);
      return () => runner.stop();
    },
    close: async () => {
      await tools.release();
      await pool.end();
    },
  };
}

// A task is a workflow of one activity; it is done when its result is stored, for which its client waits.
async function temporal(address) {
  const { Client, Connection } = require('@temporalio/client');
  const { NativeConnection, Runtime, Worker } = require('@temporalio/worker');
  const { randomUUID } = require('node:crypto');
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const connection = await NativeConnection.connect({ address });
  let onDone = () => {};
  const add = async (payload) => {
    const started = await client.workflow.start(
      'task', { taskQueue: 'bench', workflowId: randomUUID(), args: [payload] });
    started.result().then(() => onDone(), () => {});
  };
  return {
    addMany: (payloads) => Promise.all(payloads.map(add)),
    add,
    async work(workers, handle, done) {
      onDone = done;
      const worker = await Worker.create({
        connection,
        taskQueue: 'bench',
        workflowsPath: require.resolve('./temporal_workflow.cjs'),
        // The packages are elsewhere than the workflow.
        bundlerOptions: {
          webpackConfigHook: (config) => ({
            ...config,
            resolve: { ...config.resolve, modules: [process.env.NODE_PATH, 'node_modules'] },
          }),
        },
        activities: { handle: async (payload) => handle(payload) },
        maxConcurrentActivityTaskExecutions: workers,
        maxConcurrentWorkflowTaskExecutions: workers,
      });
      const running = worker.run();
      return async () => {
        worker.shutdown();
        await running;
      };
    },
    close: async () => {
      await client.connection.close();
      await connection.close();
    },
  };
}

async function drain(system, tasks, workers) {
  let done = 0;
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  const stop = await system.work(workers, async () => {}, () => { if (++done === tasks) finish(); });
  const begin = microseconds();
  for (let at = 0; at < tasks; at += CHUNK) {
    const size = Math.min(CHUNK, tasks - at);
    await system.addMany(Array.from({ length: size }, () => ({ text: PAYLOAD })));
  }
  await finished;
  const took = (microseconds() - begin) / 1e6;
  await stop();
  return { tasks_per_s: tasks / took };
}

async function grant(system, rate, seconds) {
  const latencies = [];
  const stop = await system.work(64, async (payload) => {
    if (payload.due !== undefined) latencies.push(microseconds() - payload.due);
  }, () => {});
  await system.addMany(Array.from({ length: 200 }, () => ({ text: PAYLOAD })));
  await wait(1000);
  const begin = microseconds();
  const adds = [];
  for (let at = 0; at < seconds * 1e6; at += -Math.log(1 - Math.random()) / rate * 1e6) {
    const due = begin + at;
    await wait(Math.max(0, (due - microseconds()) / 1000));
    adds.push(system.add({ text: PAYLOAD, due }));
  }
  await Promise.all(adds);
  for (let i = 0; i < 100 && latencies.length < adds.length; ++i) await wait(50);
  await stop();
  return {
    wanted: adds.length,
    grants: latencies.length,
    grant_p50_us: percentile(latencies, 0.5),
    grant_p99_us: percentile(latencies, 0.99),
  };
}

// Lines: "taken ID", "done ID" when the queue took the result, "refused ID" when it did not.
async function hold(system, lease, work) {
  const say = (word, job) => process.stdout.write(`${word} ${job.id}\n`);
  const worker = new system.Worker('bench', async (job) => {
    say('taken', job);
    await wait(work);
  }, { connection: system.connection, concurrency: 16, lockDuration: lease,
       stalledInterval: lease / 2, maxStalledCount: 5 });
  worker.on('completed', (job) => say('done', job));
  worker.on('error', (error) => {
    if (/lock|not in the active/i.test(error.message)) process.stdout.write('refused\n');
  });
  await worker.waitUntilReady();
  await new Promise((resolve) => { process.stdin.on('end', resolve).resume(); });
  process.exit(0);
}

async function main([name, mode, address, ...numbers]) {
  const systems = { bullmq, graphile, temporal };
  const system = await systems[name](address);
  const values = numbers.map(Number);
  if (mode === 'add') {
    await system.addMany(Array.from({ length: values[0] }, () => ({ text: PAYLOAD })));
  } else if (mode === 'hold') {
    await hold(system, values[0], values[1]);
  } else {
    const figures = mode === 'drain' ? await drain(system, values[0], values[1])
                                     : await grant(system, values[0], values[1]);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  }
  await system.close();
}

main(process.argv.slice(2)).then(() => process.exit(0), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
