#include "services/ledger/storage/change_codec.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "lib/base/error.h"

namespace slipway::ledger {
namespace {

// What stands for the times that are no number of microseconds.
constexpr int64_t kPast = std::numeric_limits<int64_t>::min();
constexpr int64_t kFuture = std::numeric_limits<int64_t>::max();

class ChangeEncoder final {
 public:
  explicit ChangeEncoder(std::string& out) : out_(out) {}

  template <typename... Fields>
  void operator()(Fields&... fields) {
    (One(fields), ...);
  }

  void Zone(const std::string&, const absl::TimeZone&) {}

 private:
  void Unsigned(uint64_t value) {
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }
  void One(int64_t value) {
    Unsigned((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void One(int32_t value) { One(int64_t{value}); }
  void One(bool value) { out_.push_back(value ? 1 : 0); }
  void One(std::string& value) {
    Unsigned(value.size());
    out_.append(value);
  }
  void One(absl::Time value) {
    One(value == absl::InfinitePast()     ? kPast
        : value == absl::InfiniteFuture() ? kFuture
                                          : absl::ToUnixMicros(value));
  }
  void One(absl::Duration value) { One(absl::ToInt64Microseconds(value)); }
  template <typename T>
  void One(std::optional<T>& value) {
    One(value.has_value());
    if (value.has_value()) One(*value);
  }
  template <typename T>
  void One(std::vector<T>& values) {
    Unsigned(values.size());
    for (T& value : values) One(value);
  }
  template <typename T>
  void One(T& value) {
    if constexpr (std::is_enum_v<T>) {
      One(static_cast<int64_t>(value));
    } else {
      CodeFields(*this, value);
    }
  }

  std::string& out_;
};

class ChangeDecoder final {
 public:
  explicit ChangeDecoder(absl::string_view& in) : in_(in) {}

  bool ok() const { return ok_; }

  template <typename... Fields>
  void operator()(Fields&... fields) {
    (One(fields), ...);
  }

  void Zone(const std::string& name, absl::TimeZone& zone) {
    absl::StatusOr<absl::TimeZone> found = FindTimeZone(name);
    ok_ = ok_ && found.ok();
    if (ok_) zone = *found;
  }

 private:
  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) break;
      const auto byte = static_cast<uint8_t>(in_.front());
      in_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  // Of something of which each takes a byte at least, so that no length asks for more memory than
  // there are bytes.
  size_t Length() {
    const uint64_t length = Unsigned();
    ok_ = ok_ && length <= in_.size();
    return ok_ ? static_cast<size_t>(length) : 0;
  }
  int64_t Signed() {
    const uint64_t value = Unsigned();
    return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  void One(int64_t& value) { value = Signed(); }
  void One(int32_t& value) { value = static_cast<int32_t>(Signed()); }
  void One(bool& value) { value = Unsigned() != 0; }
  void One(std::string& value) {
    const size_t length = Length();
    value.assign(in_.data(), length);
    in_.remove_prefix(length);
  }
  void One(absl::Time& value) {
    const int64_t micros = Signed();
    value = micros == kPast     ? absl::InfinitePast()
            : micros == kFuture ? absl::InfiniteFuture()
                                : absl::FromUnixMicros(micros);
  }
  void One(absl::Duration& value) { value = absl::Microseconds(Signed()); }
  template <typename T>
  void One(std::optional<T>& value) {
    bool present = false;
    One(present);
    value.reset();
    if (present && ok_) One(value.emplace());
  }
  template <typename T>
  void One(std::vector<T>& values) {
    const size_t length = Length();
    values.clear();
    values.reserve(length);
    for (size_t i = 0; i < length && ok_; ++i) One(values.emplace_back());
  }
  template <typename T>
  void One(T& value) {
    if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(Signed());
    } else {
      CodeFields(*this, value);
    }
  }

  absl::string_view& in_;
  bool ok_ = true;
};

// One function for both ways. Each names all fields of its struct, so that a new field does not
// compile before it is kept here, too; a new one makes another version of the log's format.
template <typename Coder>
void CodeFields(Coder& coder, Amounts& value) {
  auto& [usd_nanos, tokens, requests] = value;
  coder(usd_nanos, tokens, requests);
}

template <typename Coder>
void CodeFields(Coder& coder, TokenCounts& value) {
  auto& [input, cache_read, cache_write, cache_write_long, output, reasoning, searches] = value;
  coder(input, cache_read, cache_write, cache_write_long, output, reasoning, searches);
}

template <typename Coder>
void CodeFields(Coder& coder, ScopePath& value) {
  auto& [project, plan, task, attempt, role] = value;
  coder(project, plan, task, attempt, role);
}

template <typename Coder>
void CodeFields(Coder& coder, Budget& value) {
  auto& [id, scope, path, metric, window, time_zone, zone, limit, version, frozen, warn_percents,
         since] = value;
  coder(id, scope, path, metric, window, time_zone, limit, version, frozen, warn_percents, since);
  coder.Zone(time_zone, zone);
}

template <typename Coder>
void CodeFields(Coder& coder, Bucket& value) {
  auto& [budget, window_start, posted, reserved, overage, seeded, warned, frozen, unrecorded_seed] =
      value;
  coder(budget, window_start, posted, reserved, overage, seeded, warned, frozen, unrecorded_seed);
}

template <typename Coder>
void CodeFields(Coder& coder, Balance& value) {
  auto& [budget, bucket, as_of] = value;
  coder(budget, bucket, as_of);
}

template <typename Coder>
void CodeFields(Coder& coder, Denial& value) {
  auto& [cause, balance, requested, retry_time, frozen_scope] = value;
  coder(cause, balance, requested, retry_time, frozen_scope);
}

template <typename Coder>
void CodeFields(Coder& coder, Leg& value) {
  auto& [budget, window_start, metric, amount, posted] = value;
  coder(budget, window_start, metric, amount, posted);
}

template <typename Coder>
void CodeFields(Coder& coder, ReserveOrder& value) {
  auto& [key, kind, scopes, amounts, minimum, envelope, lifetime, owner, provider, model,
         service_tier, owner_epoch] = value;
  coder(key, kind, scopes, amounts, minimum, envelope, lifetime, owner, provider, model,
        service_tier, owner_epoch);
}

template <typename Coder>
void CodeFields(Coder& coder, Reservation& value) {
  auto& [order, state, held, settled, charge_time, expire_time, denial, legs, end_digest, drawing,
         open_calls] = value;
  coder(order, state, held, settled, charge_time, expire_time, denial, legs, end_digest, drawing,
        open_calls);
}

template <typename Coder>
void CodeFields(Coder& coder, UsageRecord& value) {
  auto& [reservation, record_time, charge_time, scopes, provider, model, service_tier, tokens,
         charged, first_cost, basis, provider_request_id, price] = value;
  coder(reservation, record_time, charge_time, scopes, provider, model, service_tier, tokens,
        charged, first_cost, basis, provider_request_id, price);
}

template <typename Coder>
void CodeFields(Coder& coder, Adjustment& value) {
  auto& [key, reservation, time, delta_usd_nanos, evidence] = value;
  coder(key, reservation, time, delta_usd_nanos, evidence);
}

template <typename Coder>
void CodeFields(Coder& coder, Price& value) {
  auto& [id, provider, model, service_tier, effective_time, context_threshold_tokens, input,
         cache_read, cache_write, cache_write_long, output, search, source] = value;
  coder(id, provider, model, service_tier, effective_time, context_threshold_tokens, input,
        cache_read, cache_write, cache_write_long, output, search, source);
}

template <typename Coder>
void CodeFields(Coder& coder, RollupChange& value) {
  auto& [record, calls, tokens, cost_usd_nanos, estimated_usd_nanos, charged] = value;
  coder(record, calls, tokens, cost_usd_nanos, estimated_usd_nanos, charged);
}

template <typename Coder>
void CodeFields(Coder& coder, StoredReply& value) {
  auto& [request_id, digest, body] = value;
  coder(request_id, digest, body);
}

template <typename Coder>
void CodeFields(Coder& coder, OwnerEpoch& value) {
  auto& [owner, epoch] = value;
  coder(owner, epoch);
}

template <typename Coder>
void CodeFields(Coder& coder, FrozenScope& value) {
  auto& [scope, reason, actor, freeze_time] = value;
  coder(scope, reason, actor, freeze_time);
}

template <typename Coder>
void CodeFields(Coder& coder, JournalEntry& value) {
  auto& [sequence, time, operation, key, body, digest] = value;
  coder(sequence, time, operation, key, body, digest);
}

template <typename Coder>
void CodeFields(Coder& coder, events::EventDraft& value) {
  auto& [kind, project, plan, task, attempt, payload_json] = value;
  coder(kind, project, plan, task, attempt, payload_json);
}

template <typename Coder>
void CodeFields(Coder& coder, Changes& value) {
  auto& [added, updated, buckets, budgets, usage_added, usage_updated, rollups, adjustments, prices,
         replies, owners, frozen, unfrozen, journal, events, time] = value;
  coder(added, updated, buckets, budgets, usage_added, usage_updated, rollups, adjustments, prices,
        replies, owners, frozen, unfrozen, journal, events, time);
}

}  // namespace

void AppendChanges(const Changes& changes, std::string& out) {
  ChangeEncoder encoder(out);
  CodeFields(encoder, const_cast<Changes&>(changes));  // An encoder only reads.
}

absl::StatusOr<Changes> TakeChanges(absl::string_view& in) {
  Changes changes;
  ChangeDecoder decoder(in);
  CodeFields(decoder, changes);
  if (decoder.ok()) return changes;
  return base::Error(absl::StatusCode::kInternal, "STORED_FORM_INVALID",
                     "a decision in the log cannot be read");
}

}  // namespace slipway::ledger
