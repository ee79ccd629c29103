#pragma once

#include "lib/sqlite/sql.h"

namespace slipway::sqlite {

// One step in the history of a schema. `sql` may hold several statements. A list starts at
// version 1 and rises by one; a step that has been released is never edited, only followed.
struct Migration {
  int version;
  Sql sql;
};

}  // namespace slipway::sqlite
