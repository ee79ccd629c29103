#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/gateway/domain/tokens.h"
#include "slipway/common/v1/access.pb.h"
#include "slipway/gateway/v1/gateway_service.pb.h"

namespace slipway::gateway {

common::v1::Role RoleToProto(Role role);
Role RoleFromProto(common::v1::Role role);

v1::Token TokenToProto(const Token& token);

// Fails with ROLE_INVALID or EXPIRY_INVALID; what else is wrong the domain says.
absl::StatusOr<Tokens::Draft> DraftFromProto(const v1::CreateTokenRequest& request);

// A position in a list as a page token and back. Fails with PAGE_INVALID.
std::string PageTokenOf(int64_t position);
absl::StatusOr<std::optional<int64_t>> PositionOf(const std::string& page_token);

// A size between 1 and kPageSizeMax. Fails with PAGE_INVALID.
absl::StatusOr<int> PageSizeOf(int asked);

}  // namespace slipway::gateway
