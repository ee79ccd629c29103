#include "services/gateway/http/page.h"

namespace slipway::gateway {

const absl::string_view kPageHtml = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>Slipway</title>
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<header><h1>Slipway</h1><span id="status">connecting</span></header>
<main>
<section><h2>Plans</h2><div id="plans"></div></section>
<section><h2>Spend</h2><div id="spend"></div></section>
<section><h2>Events</h2><ol id="events"></ol></section>
</main>
</body>
</html>
)html";

const absl::string_view kPageScript = R"js('use strict';
const EVENTS_SHOWN = 200;
const TASKS_OF_PLANS = 10;

function element(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(text) { document.getElementById('status').textContent = text; }

async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message || answer.code);
  return answer;
}

async function signIn() {
  const token = new URLSearchParams(location.search).get('token');
  if (!token) return;
  history.replaceState(null, '', '/');
  await post('/v1/login', {one_time_token: token});
}

const word = (state) => (state || '').replace(/^STATE_/, '').toLowerCase().replace(/_/g, ' ');

async function tasksOf(plan) {
  const answer = await post('/slipway.dispatcher.v1.DispatcherService/ListTasks', {plan: plan.name})
      .catch(() => ({}));
  const list = element('ul', '');
  for (const task of answer.tasks || []) {
    const item = element('li', (task.title || task.name.split('/').pop()) + ' ');
    item.append(element('b', word(task.state), 'state ' + word(task.state).replace(/ /g, '-')));
    list.append(item);
  }
  return list;
}

async function showPlans() {
  const answer = await post('/slipway.planner.v1.PlannerService/ListPlans',
                            {parent: 'projects/-', pageSize: 50});
  const plans = answer.plans || [];
  const blocks = await Promise.all(plans.map(async (plan, index) => {
    const block = element('article', '');
    const title = element('h3', plan.title || plan.name);
    title.append(' ', element('b', word(plan.state), 'state ' + word(plan.state)));
    block.append(title, element('p', plan.name, 'name'));
    if (plan.failure) block.append(element('p', plan.failure));
    if (index < TASKS_OF_PLANS) block.append(await tasksOf(plan));
    return block;
  }));
  if (!blocks.length) blocks.push(element('p', 'No plans yet: slipway plan <file> makes one.'));
  document.getElementById('plans').replaceChildren(...blocks);
}

async function showSpend() {
  const answer = await post('/slipway.ledger.v1.LedgerService/QueryUsage', {groupBy: ['model']});
  const lines = (answer.rollups || []).map((sum) => element('p',
      (sum.model || 'all') + ': $' + (Number(sum.costUsdNanos || 0) / 1e9).toFixed(4) + ' in ' +
      (sum.calls || 0) + ' calls'));
  if (!lines.length) lines.push(element('p', 'Nothing spent.'));
  document.getElementById('spend').replaceChildren(...lines);
}

let due = null;
function refreshSoon() {
  if (due) return;
  due = setTimeout(() => {
    due = null;
    showPlans().catch((error) => show(error.message));
    showSpend().catch((error) => show(error.message));
  }, 500);
}

function line(event) {
  const payload = event.payload || {};
  const facts = payload[Object.keys(payload)[0]] || {};
  const about = event.attempt || event.task || event.plan || event.project || '';
  const told = facts.to || facts.change || facts.reason || facts.outcome || facts.detail || '';
  return [event.appendTime, event.log, event.kind, about, told].join('  ');
}

function follow() {
  const source = new EventSource('/v1/events');
  source.onopen = () => show('live');
  source.onmessage = (message) => {
    const list = document.getElementById('events');
    list.prepend(element('li', line(JSON.parse(message.data))));
    while (list.childElementCount > EVENTS_SHOWN) list.lastChild.remove();
    refreshSoon();
  };
  source.addEventListener('bookmark', (message) => {
    const lagging = JSON.parse(message.data).laggingLogs || [];
    show(lagging.length ? 'live, without ' + lagging.join(', ') : 'live');
  });
  source.onerror = () => show(source.readyState === EventSource.CLOSED
      ? 'not signed in: open the URL that slipway up printed' : 'reconnecting');
}

signIn().catch((error) => show(error.message)).then(() => { refreshSoon(); follow(); });
)js";

const absl::string_view kPageStyle = R"css(
body { font: 14px/1.5 system-ui, sans-serif; margin: 0; color: #1c2430; background: #f6f7f9; }
header { display: flex; gap: 1em; align-items: baseline; padding: .5em 1.5em; background: #1c2430;
  color: #fff; }
h1 { font-size: 1.2em; margin: 0; }
main { display: grid; gap: 1.5em; grid-template-columns: 2fr 1fr; padding: 1.5em; }
section { background: #fff; border: 1px solid #dde1e7; border-radius: 6px; padding: 0 1em 1em; }
section:last-child { grid-column: 1 / -1; }
h2 { font-size: 1em; } h3 { font-size: 1em; margin: .8em 0 0; }
.name { color: #68727f; margin: 0; }
.state { font-weight: 600; color: #8a6100; }
.merged, .completed { color: #1a7f37; }
.failed, .rejected, .needs-human, .cancelled { color: #b3261e; }
ol { font: 12px/1.6 ui-monospace, monospace; list-style: none; padding: 0; overflow-x: auto;
  white-space: pre; }
)css";

}  // namespace slipway::gateway
