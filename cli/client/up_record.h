#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client/data_directory.h"

namespace slipway::cli {

// What `slipway up` leaves for others to find it: up.json.
struct UpRecord {
  pid_t pid = 0;
  std::string version;
  std::string url;              // Of the page, without a token.
  std::string gateway_address;  // gRPC for programs of this machine.
  std::string grpc_address;     // The same over TCP; may be empty.
  std::string http_address;     // HTTP: "127.0.0.1:7478".
};

absl::Status WriteUpRecord(const DataDirectory& data, const UpRecord& record);

// UNAVAILABLE (NOT_RUNNING) when there is none or it cannot be read.
absl::StatusOr<UpRecord> ReadUpRecord(const DataDirectory& data);

}  // namespace slipway::cli
