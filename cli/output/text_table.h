#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/output/style.h"

namespace slipway::cli {

// One cell of a table.
struct Cell {
  Cell(std::string text, Tone tone = Tone::kPlain) : text(std::move(text)), tone(tone) {}
  Cell(const char* text, Tone tone = Tone::kPlain) : text(text), tone(tone) {}

  std::string text;
  Tone tone;
};

// Rows below headings, aligned by what terminals show.
class TextTable final {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Missing cells are empty; there must not be more than columns.
  void Add(std::vector<Cell> row);

  bool empty() const { return rows_.empty(); }

  // With a line break after each row. When `width` is not 0, the last column is cut to fit.
  std::string Render(bool colour, int width = 0) const;

 private:
  std::string RenderRow(const std::vector<Cell>& row, const std::vector<int>& widths, bool colour,
                        int width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace slipway::cli
