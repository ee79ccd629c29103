// The workflow of the Temporal peer: one activity, as a task of a queue is one call of its worker.
'use strict';

const { proxyActivities } = require('@temporalio/workflow');

const { handle } = proxyActivities({ startToCloseTimeout: '1 minute' });

exports.task = async (payload) => handle(payload);
