/// Swift source with comments and string literals blanked out, so that a rule about code does not trip over prose.
///
/// A scan, not a parser: interpolations count as part of their string.
struct SwiftCode {
    /// One entry per line of the source.
    let lines: [String]

    init(_ source: String) {
        var bytes = Array(source.utf8)
        var index = 0
        while index < bytes.count {
            guard Self.openers.contains(bytes[index]), let end = Self.endOfProse(in: bytes, at: index) else {
                index += 1
                continue
            }
            for position in index..<end where bytes[position] != UInt8(ascii: "\n") {
                bytes[position] = UInt8(ascii: " ")
            }
            index = end
        }
        self.lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// What a comment or a string literal begins with.
    private static let openers = Array("/\"#".utf8)

    /// Where the comment or string literal that starts at `start` ends, if one starts there.
    private static func endOfProse(in bytes: [UInt8], at start: Int) -> Int? {
        func has(_ text: String, at index: Int) -> Bool { bytes[index...].starts(with: text.utf8) }
        func end(_ fence: String, after opening: Int, escapes: Bool) -> Int {
            var index = start + opening
            while index < bytes.count {
                if has(fence, at: index) { return index + fence.utf8.count }
                index += escapes && bytes[index] == UInt8(ascii: "\\") ? 2 : 1
            }
            return bytes.count
        }
        switch bytes[start] {
        case UInt8(ascii: "/") where has("//", at: start):
            return bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        case UInt8(ascii: "/") where has("/*", at: start):
            return end("*/", after: 2, escapes: false)
        case UInt8(ascii: "\""), UInt8(ascii: "#"):
            let hashes = bytes[start...].prefix { $0 == UInt8(ascii: "#") }.count
            let fence = String(repeating: "#", count: hashes)
            if has("\"\"\"", at: start + hashes) {
                return end("\"\"\"" + fence, after: hashes + 3, escapes: hashes == 0)
            }
            guard has("\"", at: start + hashes) else { return nil }
            return end("\"" + fence, after: hashes + 1, escapes: hashes == 0)
        default: return nil
        }
    }
}

/// A function or initialiser with a body, found by its keyword and its braces.
struct FunctionSpan: Equatable {
    let name: String
    /// Counted from 1.
    let firstLine: Int
    /// Lines from the opening to the closing brace, both included.
    let length: Int
    /// Whether one `switch` is nearly all of the body: those may be long.
    let isFullSwitch: Bool
}

extension SwiftCode {
    func functions() -> [FunctionSpan] {
        lines.indices.compactMap { line in
            guard ["func", "init"].contains(where: { lines[line].contains($0) }),
                let match = lines[line].firstMatch(of: /\b(?:func\s+([^\s(<]+)|(init)\s*[?(<]|(deinit)\s*\{)/)
            else {
                return nil
            }
            // A call such as `self.init(…)` or `.init(…)` is no declaration.
            let before = lines[line][..<match.range.lowerBound]
            guard before.last != ".", !before.contains("=") else { return nil }
            let name = String(match.1 ?? match.2 ?? match.3 ?? "")
            return body(of: name, from: line, after: match.range.lowerBound)
        }
    }

    private func body(of name: String, from start: Int, after keyword: String.Index) -> FunctionSpan? {
        var parentheses = 0
        var braces = 0
        var opened: Int?
        for line in start..<lines.count {
            let text = line == start ? lines[line][keyword...] : lines[line][...]
            if opened == nil, line > start, parentheses == 0, !continuesSignature(text) { return nil }
            for character in text {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{" where opened == nil && parentheses == 0:
                    opened = line
                    braces = 1
                case "{" where opened != nil: braces += 1
                case "}" where opened != nil: braces -= 1
                default: break
                }
                if let opened, braces == 0 {
                    let length = line - opened + 1
                    let longest = longestSwitch(in: opened...line)
                    return FunctionSpan(
                        name: name, firstLine: start + 1, length: length, isFullSwitch: longest * 10 >= length * 8)
                }
            }
        }
        return nil
    }

    /// Whether a line can still belong to a signature whose parentheses are closed.
    private func continuesSignature(_ line: Substring) -> Bool {
        let trimmed = line.drop { $0 == " " }
        return ["{", "->", "async", "throws", "rethrows", "where"].contains { trimmed.hasPrefix($0) }
    }

    private func longestSwitch(in range: ClosedRange<Int>) -> Int {
        range.map { start -> Int in
            guard lines[start].contains(/\bswitch\b/) else { return 0 }
            let indent = lines[start].prefix { $0 == " " }.count
            let end = range.first {
                $0 > start && lines[$0].prefix { $0 == " " }.count == indent
                    && lines[$0].drop { $0 == " " }.hasPrefix("}")
            }
            return (end ?? start) - start + 1
        }.max() ?? 0
    }
}
