#include "services/dispatcher/domain/fair_schedule.h"

#include <algorithm>

namespace slipway::dispatcher {

bool FairSchedule::ByTurn::operator()(const Entry* a, const Entry* b) const {
  const auto rank = [](const Entry& entry) {
    return std::make_tuple(!entry.task.validates, entry.urgency, -entry.task.remaining_path,
                           entry.task.ready_time);
  };
  const auto of_a = rank(*a);
  const auto of_b = rank(*b);
  return of_a != of_b ? of_a < of_b : a->task.key < b->task.key;
}

bool FairSchedule::ByTurn::operator()(const Queue* a, const Queue* b) const {
  if (a->ready.empty() != b->ready.empty()) return b->ready.empty();
  return (*this)(a->first(), b->first());
}

int64_t Urgency(int priority, absl::Time ready_time, absl::Duration aging_step) {
  absl::Duration rest;
  const absl::Duration since = ready_time - absl::UnixEpoch();
  int64_t steps = absl::IDivDuration(since, aging_step, &rest);
  if (rest < absl::ZeroDuration()) --steps;  // Down, also before the epoch.
  return steps - priority;
}

FairSchedule::FairSchedule(const SchedulingSettings& settings)
    : settings_(settings), shares_(settings) {
  for (const CredentialLimit& credential : settings.credentials) {
    credentials_[credential.name] = {.reason = WaitReason::kCredentialLimit,
                                     .subject = credential.name,
                                     .most = credential.attempts_max};
    for (const std::string& role : credential.roles) credential_of_role_[role] = credential.name;
  }
}

FairSchedule::~FairSchedule() = default;

FairSchedule::Project& FairSchedule::ProjectFor(const std::string& plan) {
  const std::string name = ProjectOf(plan);
  std::unique_ptr<Project>& project = projects_[name];
  if (project == nullptr) {
    project = std::make_unique<Project>();
    project->name = name;
    project->limit.reason = WaitReason::kProjectLimit;
    const auto share = settings_.projects.find(name);
    if (share != settings_.projects.end()) project->configured_max = share->second.attempts_max;
    project->limit.most = project->configured_max;
    project->virtual_time = shares_.VirtualTime(name);
  }
  return *project;
}

FairSchedule::Plan& FairSchedule::PlanFor(const std::string& plan) {
  std::unique_ptr<Plan>& found = plans_[plan];
  if (found == nullptr) {
    found = std::make_unique<Plan>();
    found->attempts.most = settings_.plan_attempts_max;
    found->lane.most = settings_.lane_changes_max;
  }
  return *found;
}

void FairSchedule::Forget(const std::string& plan) {
  const auto found = plans_.find(plan);
  if (--found->second->users == 0) plans_.erase(found);
}

void FairSchedule::AddRun(const std::string& plan, absl::Time start, int parallel_max) {
  Plan& added = PlanFor(plan);
  if (added.start.has_value()) return;
  added.start = start;
  ++added.users;
  Project& project = ProjectFor(plan);
  project.policies[{start, plan}] = parallel_max;
  UpdateProjectLimit(project);
}

void FairSchedule::RemoveRun(const std::string& plan) {
  const auto found = plans_.find(plan);
  if (found == plans_.end() || !found->second->start.has_value()) return;
  Project& project = ProjectFor(plan);
  project.policies.erase({*found->second->start, plan});
  found->second->start.reset();
  UpdateProjectLimit(project);
  Forget(plan);
}

void FairSchedule::UpdateProjectLimit(Project& project) {
  const int policy = project.policies.empty() ? 0 : project.policies.rbegin()->second;
  const int configured = project.configured_max;
  SetMost(project.limit, policy == 0 || configured == 0 ? std::max(policy, configured)
                                                        : std::min(policy, configured));
}

FairSchedule::Limit* FairSchedule::CredentialOf(const std::string& role) {
  const auto found = credential_of_role_.find(role);
  return found == credential_of_role_.end() ? nullptr : &credentials_.at(found->second);
}

FairSchedule::Queue& FairSchedule::QueueFor(const WaitingTask& task) {
  Plan& plan = PlanFor(task.key.plan);
  Limit* const credential = task.validates ? nullptr : CredentialOf(task.role);
  Queue& queue = plan.queues[{credential, task.validates}];
  if (queue.number == 0) {
    queue.number = ++last_queue_;
    queue.project = &ProjectFor(task.key.plan);
    queue.plan = &plan;
    queue.credential = credential;
    queue.validates = task.validates;
  }
  return queue;
}

FairSchedule::Limit* FairSchedule::FullLimit(const Queue& queue) {
  if (queue.project->limit.full()) return &queue.project->limit;
  if (queue.plan->attempts.full()) return &queue.plan->attempts;
  if (queue.validates) return nullptr;
  if (queue.plan->lane.full()) return &queue.plan->lane;
  return queue.credential != nullptr && queue.credential->full() ? queue.credential : nullptr;
}

std::optional<PathHolds::Overlap> FairSchedule::OverlapOf(const Entry& entry) const {
  if (entry.task.validates || !entry.is_patient) return std::nullopt;
  if (settings_.overlap_wait == absl::ZeroDuration()) return std::nullopt;
  return entry.queue->plan->holds.Find(entry.task.footprint);
}

Wait FairSchedule::WaitOf(const Queue& queue) {
  const Limit* const full = FullLimit(queue);
  if (full == nullptr) return {};
  return {.reason = full->reason, .subject = full->subject, .limit = full->most};
}

void FairSchedule::Offer(WaitingTask task) {
  const auto known = entries_.find(task.key);
  if (known != entries_.end() && known->second->task == task) return;
  Withdraw(task.key);
  auto entry = std::make_unique<Entry>();
  entry->urgency = Urgency(task.priority, task.ready_time, settings_.aging_step);
  entry->task = std::move(task);
  Put(std::move(entry));
}

void FairSchedule::Put(std::unique_ptr<Entry> entry) {
  ++version_;
  Entry& added = *entry;
  const TaskKey& key = added.task.key;
  wait_changes_.insert(key);
  added.queue = &QueueFor(added.task);
  ++added.queue->plan->users;
  Project& project = *added.queue->project;
  project.waits.emplace(added.task.ready_time, key);
  UpdateActive(project);
  Rearrange(*added.queue, [&] { added.queue->ready.insert(&added); });
  entries_[key] = std::move(entry);
}

std::unique_ptr<FairSchedule::Entry> FairSchedule::Take(const TaskKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  ++version_;
  wait_changes_.insert(found->first);
  std::unique_ptr<Entry> entry = std::move(found->second);
  entries_.erase(found);
  if (entry->yields_to.has_value()) EndYield(*entry);
  Queue& queue = *entry->queue;
  Rearrange(queue, [&] { queue.ready.erase(entry.get()); });
  Project& project = *queue.project;
  project.waits.erase({entry->task.ready_time, entry->task.key});
  UpdateActive(project);
  Reorder(project);
  Forget(entry->task.key.plan);
  return entry;
}

void FairSchedule::Withdraw(const TaskKey& key) {
  const std::unique_ptr<Entry> entry = Take(key);
  if (entry == nullptr || !entry->patience.has_value()) return;
  patience_.erase({*entry->patience, entry->task.key});
}

void FairSchedule::Begin(const HeldSlot& slot) {
  const TaskKey& key = slot.attempt.task;
  const auto known = slots_.find(key);
  if (known != slots_.end()) {
    if (known->second.attempt == slot.attempt) return;
    End(key, slot.start);
  }
  ++version_;
  Project& project = ProjectFor(key.plan);
  Plan& plan = PlanFor(key.plan);
  ++plan.users;
  ++project.slots;
  UpdateActive(project);
  slots_[key] = slot;
  if (!slot.host.empty()) ++on_host_[slot.host];
  Use(&project.limit);
  Use(&plan.attempts);
  if (!slot.validates) Use(CredentialOf(slot.role));
  shares_.Begin(slot.attempt, slot.start);
  Reorder(project);
}

void FairSchedule::End(const TaskKey& key, absl::Duration now) {
  const auto found = slots_.find(key);
  if (found == slots_.end()) return;
  ++version_;
  const HeldSlot slot = std::move(found->second);
  slots_.erase(found);
  if (const auto host = on_host_.find(slot.host); host != on_host_.end()) --host->second;
  Project& project = ProjectFor(key.plan);
  shares_.End(slot.attempt, now);
  --project.slots;
  if (!slot.validates) Free(CredentialOf(slot.role));
  Free(&PlanFor(key.plan).attempts);
  Free(&project.limit);
  UpdateActive(project);
  Reorder(project);
  Forget(key.plan);
}

void FairSchedule::BeginChange(const TaskKey& key, const std::vector<std::string>& footprint) {
  const auto [change, is_new] = changes_.try_emplace(key);
  if (!is_new) return;
  ++version_;
  change->second.footprint = footprint;
  Plan& plan = PlanFor(key.plan);
  ++plan.users;
  Use(&plan.lane);
  plan.holds.Add(key.id, footprint);
}

void FairSchedule::EndChange(const TaskKey& key) {
  const auto found = changes_.find(key);
  if (found == changes_.end()) return;
  ++version_;
  const Change change = std::move(found->second);
  changes_.erase(found);
  Plan& plan = PlanFor(key.plan);
  plan.holds.Remove(key.id, change.footprint);
  for (const TaskKey& other : change.yielding) EndYield(*entries_.at(other));
  Free(&plan.lane);
  Forget(key.plan);
}

std::optional<TaskKey> FairSchedule::Next(absl::Duration now) {
  EndPatience(now);
  for (int passed = 0; passed < kYieldsMax && !ready_turns_.empty();) {
    Queue& queue = **projects_.at(ready_turns_.begin()->second)->open.begin();
    ++operations_;
    if (Limit* const full = FullLimit(queue); full != nullptr) {
      HoldBack(queue, *full);
      continue;
    }
    Entry& entry = **queue.ready.begin();
    const auto overlap = OverlapOf(entry);
    if (!overlap.has_value()) return entry.task.key;
    Yield(entry, *overlap, now);
    ++passed;
  }
  while (!yield_turns_.empty()) {
    Queue& queue = **projects_.at(yield_turns_.begin()->second)->yielding.begin();
    ++operations_;
    Limit* const full = FullLimit(queue);
    if (full == nullptr) return (*queue.yielding.begin())->task.key;
    HoldBack(queue, *full);
  }
  return std::nullopt;
}

int FairSchedule::CountTurns(int limit, absl::Duration now) {
  if (limit <= 0 || entries_.empty()) return 0;
  if (counted_version_ == version_ && counted_limit_ == limit) return counted_;
  // As if they were granted; then back again, with what had been noted about them.
  std::vector<std::unique_ptr<Entry>> taken;
  while (static_cast<int>(taken.size()) < limit) {
    const std::optional<TaskKey> next = Next(now);
    if (!next.has_value()) break;
    const WaitingTask& task = entries_.at(*next)->task;
    if (!task.validates) BeginChange(task.key, task.footprint);
    Begin({.attempt = {.task = task.key},
           .validates = task.validates,
           .role = task.role,
           .start = now});
    taken.push_back(Take(*next));
  }
  const auto count = static_cast<int>(taken.size());
  for (std::unique_ptr<Entry>& entry : taken) {
    const TaskKey key = entry->task.key;
    const bool validates = entry->task.validates;
    Put(std::move(entry));
    End(key, now);
    if (!validates) EndChange(key);
  }
  counted_version_ = version_;
  counted_limit_ = limit;
  counted_ = count;
  return counted_;
}

int FairSchedule::OnHost(const std::string& host) const {
  const auto found = on_host_.find(host);
  return found == on_host_.end() ? 0 : found->second;
}

std::optional<Wait> FairSchedule::WhyWaits(const TaskKey& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = *found->second;
  if (!entry.yields_to.has_value()) return WaitOf(*entry.queue);
  return Wait{.reason = WaitReason::kPathOverlap, .subject = entry.yields_to->id};
}

WaitChanges FairSchedule::TakeWaitChanges() {
  WaitChanges changes;
  if (told_version_ == version_ && wait_changes_.empty()) return changes;
  told_version_ = version_;
  std::map<int64_t, QueueNote> queues;
  for (const auto& [name, plan] : plans_) {
    for (const auto& [key, queue] : plan->queues) {
      if (!queue.empty()) queues[queue.number] = {.plan = name, .wait = WaitOf(queue)};
    }
  }
  for (const auto& [number, note] : queues) {
    const auto told = told_queues_.find(number);
    if (told == told_queues_.end() || told->second != note) {
      changes.queues.emplace_back(number, note);
    }
  }
  for (const auto& [number, note] : told_queues_) {
    if (queues.count(number) == 0) changes.queues.emplace_back(number, std::nullopt);
  }
  told_queues_ = std::move(queues);
  for (const TaskKey& key : std::exchange(wait_changes_, {})) {
    const auto found = entries_.find(key);
    std::optional<TaskNote> note;
    if (found != entries_.end()) {
      note.emplace().queue = found->second->queue->number;
      if (found->second->yields_to.has_value()) note->own = WhyWaits(key);
    }
    changes.tasks.emplace_back(key, std::move(note));
  }
  return changes;
}

std::vector<std::pair<std::string, absl::Time>> FairSchedule::OldestWaits() const {
  std::vector<std::pair<std::string, absl::Time>> oldest;
  for (const auto& [name, project] : projects_) {
    if (!project->waits.empty()) oldest.emplace_back(name, project->waits.begin()->first);
  }
  return oldest;
}

void FairSchedule::Accrue(absl::Duration now) {
  shares_.Accrue(now);
  for (const auto& [name, project] : projects_) {
    if (project->slots > 0) Reorder(*project);
  }
}

void FairSchedule::AddCost(const std::string& project, int64_t cost_usd_nanos) {
  shares_.AddCost(project, cost_usd_nanos);
  const auto found = projects_.find(project);
  if (found != projects_.end()) Reorder(*found->second);
}

}  // namespace slipway::dispatcher
