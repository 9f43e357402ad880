/// Columns as the official client prints them: every cell, the last one too, is padded to its column and one space
/// more.
enum TextTable {
    static func lines(_ rows: [[String]]) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            (rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0) + 1
        }
        return rows.map { row in
            zip(row, widths).map { text, width in text + String(repeating: " ", count: width - text.count) }.joined()
        }
    }
}
