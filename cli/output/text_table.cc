#include "cli/output/text_table.h"

#include <algorithm>

#include "cli/output/display_width.h"

namespace slipway::cli {
namespace {

constexpr int kGap = 2;
constexpr int kLastColumnWidthMin = 10;  // Below that a cut column says nothing.

}  // namespace

void TextTable::Add(std::vector<Cell> row) {
  row.resize(columns_.size(), Cell(""));
  for (Cell& cell : row) cell.text = OneLine(cell.text);
  rows_.push_back(std::move(row));
}

std::string TextTable::Render(bool colour, int width) const {
  std::vector<int> widths;
  std::vector<Cell> heading;
  for (const Column& column : columns_) {
    heading.emplace_back(column.heading, Tone::kQuiet);
    widths.push_back(DisplayWidth(column.heading));
  }
  for (const std::vector<Cell>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
    }
  }
  std::string text = RenderRow(heading, widths, colour, width);
  for (const std::vector<Cell>& row : rows_) text += RenderRow(row, widths, colour, width);
  return text;
}

std::string TextTable::RenderRow(const std::vector<Cell>& row, const std::vector<int>& widths,
                                 bool colour, int width) const {
  std::string line;
  int used = 0;
  int pending = 0;  // Blanks that are written only when something follows them.
  for (size_t i = 0; i < row.size(); ++i) {
    std::string shown = row[i].text;
    if (i + 1 == row.size() && width > 0) {
      shown = FitToWidth(shown, std::max(kLastColumnWidthMin, width - used));
    }
    const int blanks = std::max(0, widths[i] - DisplayWidth(shown));
    if (columns_[i].align == Align::kRight) pending += blanks;
    if (!shown.empty()) {
      line.append(static_cast<size_t>(pending), ' ');
      pending = 0;
      line += Paint(row[i].tone, shown, colour);
    }
    if (columns_[i].align == Align::kLeft) pending += blanks;
    pending += kGap;
    used += widths[i] + kGap;
  }
  return line + "\n";
}

}  // namespace slipway::cli
