#include "services/gateway/rpc/convert.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/rpc/proto_time.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/domain/limits.h"

namespace slipway::gateway {
common::v1::Role RoleToProto(Role role) {
  common::v1::Role message = common::v1::ROLE_UNSPECIFIED;
  if (role != Role::kNone) common::v1::Role_Parse(absl::StrCat("ROLE_", RoleName(role)), &message);
  return message;
}

Role RoleFromProto(common::v1::Role role) {
  const std::string& name = common::v1::Role_Name(role);
  constexpr size_t kPrefix = sizeof("ROLE_") - 1;
  if (name.size() <= kPrefix) return Role::kNone;
  return RoleFromName(absl::string_view(name).substr(kPrefix)).value_or(Role::kNone);
}

v1::Token TokenToProto(const Token& token) {
  v1::Token message;
  message.set_name(token.name);
  message.set_title(token.title);
  message.set_role(RoleToProto(token.role));
  *message.mutable_create_time() = rpc::ToProto(token.create_time);
  if (token.expire_time.has_value())
    *message.mutable_expire_time() = rpc::ToProto(*token.expire_time);
  message.set_revoked(token.revoked);
  return message;
}

absl::StatusOr<Tokens::Draft> DraftFromProto(const v1::CreateTokenRequest& request) {
  Tokens::Draft draft{
      .title = request.title(), .role = RoleFromProto(request.role()), .expire_time = std::nullopt};
  if (!request.has_expire_time()) return draft;
  const google::protobuf::Timestamp& time = request.expire_time();
  // Years 1 to 9999, as a Timestamp may have; the database keeps microseconds.
  if (time.seconds() < -62'135'596'800 || time.seconds() > 253'402'300'799 || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return ExpiryInvalid();
  }
  draft.expire_time =
      absl::FromUnixSeconds(time.seconds()) + absl::Microseconds(time.nanos() / 1'000);
  return draft;
}

std::string PageTokenOf(int64_t position) { return absl::StrCat(position); }

absl::StatusOr<std::optional<int64_t>> PositionOf(const std::string& page_token) {
  if (page_token.empty()) return std::nullopt;
  int64_t position = 0;
  if (!absl::SimpleAtoi(page_token, &position) || position <= 0) {
    return PageInvalid("page_token is not one that this method returned");
  }
  return position;
}

absl::StatusOr<int> PageSizeOf(int asked) {
  if (asked < 0) return PageInvalid("page_size must not be negative; 0 asks for the default");
  return asked == 0 ? kPageSizeDefault : std::min(asked, kPageSizeMax);
}

}  // namespace slipway::gateway
