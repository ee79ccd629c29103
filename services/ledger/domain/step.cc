#include "services/ledger/domain/step.h"

#include <algorithm>

#include "services/ledger/domain/event_drafts.h"

namespace slipway::ledger {
namespace {

__extension__ using Wide = __int128;

int64_t EstimatedPart(const UsageRecord& record) {
  return record.basis == Basis::kEstimatedUpper ? record.charged.usd_nanos : 0;
}

Amounts Difference(const Amounts& a, const Amounts& b) {
  return {.usd_nanos = a.usd_nanos - b.usd_nanos,
          .tokens = a.tokens - b.tokens,
          .requests = a.requests - b.requests};
}

TokenCounts Difference(const TokenCounts& a, const TokenCounts& b) {
  return {.input = a.input - b.input,
          .cache_read = a.cache_read - b.cache_read,
          .cache_write = a.cache_write - b.cache_write,
          .cache_write_long = a.cache_write_long - b.cache_write_long,
          .output = a.output - b.output,
          .reasoning = a.reasoning - b.reasoning,
          .searches = a.searches - b.searches};
}

}  // namespace

Step::~Step() {
  changes_.buckets.reserve(changes_.buckets.size() + touched_.size());
  for (const Bucket* bucket : touched_) changes_.buckets.push_back(*bucket);
}

void Step::Touch(Bucket& bucket) {
  if (std::find(touched_.begin(), touched_.end(), &bucket) == touched_.end()) {
    touched_.push_back(&bucket);
  }
  if (bucket.unrecorded_seed == 0) return;
  postings_.push_back({.budget = bucket.budget,
                       .window_start = bucket.window_start,
                       .posted = bucket.unrecorded_seed});
  bucket.unrecorded_seed = 0;
}

void Step::CorrectSeed(Bucket& bucket, int64_t delta) {
  Touch(bucket);
  bucket.posted += delta;
  bucket.seeded += delta;
  postings_.push_back(
      {.budget = bucket.budget, .window_start = bucket.window_start, .posted = delta});
}

void Step::Post(const Budget& budget, Bucket& bucket, Posting posting) {
  Touch(bucket);  // First, so that the journal tells of the seed before it.
  bucket.posted += posting.posted;
  bucket.reserved += posting.reserved;
  bucket.overage += posting.overage;
  posting.budget = budget.id;
  posting.window_start = bucket.window_start;
  postings_.push_back(std::move(posting));
  if (postings_.back().overage > 0 && budget.limit.has_value() &&
      bucket.posted + bucket.reserved > *budget.limit && !bucket.frozen) {
    bucket.frozen = true;
    changes_.events.push_back(BudgetFrozenEvent(budget, true, ""));
  }
  Warn(budget, bucket);
}

void Step::Warn(const Budget& budget, Bucket& bucket) {
  if (!budget.limit.has_value() || *budget.limit == 0) return;
  const int64_t used = bucket.posted + bucket.reserved;
  for (const int32_t percent : budget.warn_percents) {
    if (percent <= bucket.warned || Wide{used} * 100 < Wide{*budget.limit} * percent) continue;
    bucket.warned = percent;
    Touch(bucket);
    changes_.events.push_back(BudgetWarnedEvent(budget, percent, used));
  }
}

void Step::Record(absl::string_view operation, const std::string& key,
                  const Reservation* reservation, nlohmann::json facts) {
  changes_.journal.push_back(
      journal_.Next(time_, operation, key, reservation, postings_, std::move(facts)));
  postings_.clear();
}

void Step::AddUsage(const UsageRecord& record) {
  changes_.usage_added.push_back(record);
  changes_.rollups.push_back({.record = record,
                              .calls = 1,
                              .tokens = record.tokens,
                              .cost_usd_nanos = record.charged.usd_nanos,
                              .estimated_usd_nanos = EstimatedPart(record),
                              .charged = record.charged});
  changes_.events.push_back(UsageRecordedEvent(record));
}

void Step::CorrectUsage(const UsageRecord& before, const UsageRecord& after) {
  changes_.usage_updated.push_back(after);
  changes_.rollups.push_back({.record = before,  // Who served it stays as it was first recorded.
                              .tokens = Difference(after.tokens, before.tokens),
                              .cost_usd_nanos = after.charged.usd_nanos - before.charged.usd_nanos,
                              .estimated_usd_nanos = EstimatedPart(after) - EstimatedPart(before),
                              .charged = Difference(after.charged, before.charged)});
  changes_.events.push_back(UsageRecordedEvent(after));
}

}  // namespace slipway::ledger
