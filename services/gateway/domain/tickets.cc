#include "services/gateway/domain/tickets.h"

#include "services/gateway/domain/errors.h"
#include "services/gateway/domain/limits.h"

namespace slipway::gateway {

std::string Tickets::Issue(const std::string& secret) {
  std::string ticket = ids_.NewSecret("ticket_");
  base::MutexLock lock(mutex_);
  DropEnded();
  tickets_.insert_or_assign(ticket, Entry{.secret = secret, .end = clock_.Elapsed() + kTicketLife});
  by_age_.push_back(ticket);
  return ticket;
}

absl::StatusOr<std::string> Tickets::Redeem(absl::string_view ticket) {
  base::MutexLock lock(mutex_);
  const auto found = tickets_.find(ticket);
  if (found == tickets_.end() || found->second.end <= clock_.Elapsed()) return TokenInvalid();
  return found->second.secret;
}

void Tickets::DropEnded() {
  while (!by_age_.empty()) {
    const auto oldest = tickets_.find(by_age_.front());
    if (tickets_.size() < kTicketsMax && oldest->second.end > clock_.Elapsed()) return;
    tickets_.erase(oldest);
    by_age_.pop_front();
  }
}

}  // namespace slipway::gateway
