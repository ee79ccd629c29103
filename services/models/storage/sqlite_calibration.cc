#include "services/models/storage/sqlite_calibration.h"

namespace slipway::models {
namespace {

constexpr sqlite::Sql kAddSample =
    "INSERT INTO input_calibration(provider,model,content,calls,bound_tokens,counted_tokens,"
    "worst_per_mille) VALUES(?,?,?,1,?,?,?) ON CONFLICT DO UPDATE SET calls=calls+1,"
    " bound_tokens=bound_tokens+excluded.bound_tokens,"
    " counted_tokens=counted_tokens+excluded.counted_tokens,"
    " worst_per_mille=MAX(worst_per_mille,excluded.worst_per_mille)";
constexpr sqlite::Sql kSelectCalibrations =
    "SELECT provider,model,content,calls,bound_tokens,counted_tokens,worst_per_mille"
    " FROM input_calibration ORDER BY provider,model,content";

}  // namespace

absl::Status AddSample(sqlite::Transaction& transaction, const InputSample& sample) {
  return transaction.Execute(kAddSample, sample.provider, sample.model, sample.content,
                             sample.bound_tokens, sample.counted_tokens, sample.PerMille());
}

absl::StatusOr<std::vector<InputCalibration>> ReadCalibrations(sqlite::Reader& reader) {
  const auto read = [](const sqlite::Row& row) {
    return InputCalibration{.provider = row.Text(0),
                            .model = row.Text(1),
                            .content = row.Text(2),
                            .calls = row.Int64(3),
                            .bound_tokens = row.Int64(4),
                            .counted_tokens = row.Int64(5),
                            .worst_per_mille = row.Int(6)};
  };
  return reader.Query(kSelectCalibrations, read);
}

}  // namespace slipway::models
