#pragma once

#include "absl/types/span.h"
#include "lib/sqlite/migration.h"

namespace slipway::dispatcher {

// The history of dispatcher.db.
absl::Span<const sqlite::Migration> Migrations();

}  // namespace slipway::dispatcher
