/// The paths of an application (access-protocol section 3.11): `/admin` covers itself and everything below; in a path
/// with `*`, each stands for any text, slashes too, and nothing further is covered. `/alpha/*` does not cover `/alpha`.
///
/// A final slash makes no difference in a request (except that `/alpha/` is below `/alpha/*`), nor in the pattern.
package struct ApplicationPath: Hashable, Sendable, CustomStringConvertible {
    /// Empty for every path of the host; else it starts with `/` and ends otherwise.
    package let text: String
    /// The text between the `*`. One: no wildcard.
    private let pieces: [[UInt8]]
    private let foldedPieces: [[UInt8]]

    /// Every path of the host.
    package static let everything = ApplicationPath()

    private init() {
        text = ""
        pieces = [[]]
        foldedPieces = [[]]
    }

    /// Nil for what is no plain path: one that could be read in several ways, with a query or fragment, with two `*` in
    /// a segment, or over 1,024 bytes.
    package init?(_ text: String) {
        if text.isEmpty || text == "/" {
            self = .everything
            return
        }
        guard text.utf8.count <= 1024,
            !text.utf8.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }),
            let path = CanonicalPath(text), path.readings.count == 1, var plain = path.readings.first
        else { return nil }
        if plain.last == slash { plain.removeLast() }
        let star = UInt8(ascii: "*")
        guard
            plain.split(separator: slash).allSatisfy({ segment in segment.count(where: { $0 == star }) <= 1 })
        else { return nil }
        self.text = String(decoding: plain, as: UTF8.self)
        pieces = plain.split(separator: star, omittingEmptySubsequences: false).map(Array.init)
        foldedPieces = pieces.map { $0.map(foldedASCII) }
    }

    package var description: String { text.isEmpty ? "/" : text }

    package var isEverything: Bool { text.isEmpty }

    package var isWildcard: Bool { pieces.count > 1 }

    /// How many bytes a path must share with this one: the more, the more particular.
    var literalLength: Int { pieces.reduce(0) { $0 + $1.count } }

    /// The same for two paths that differ in the case of letters only.
    var foldedText: ExactText { ExactText(folding: text) }

    /// Whether a reading of a path is covered.
    func matches(_ reading: [UInt8]) -> Bool { Self.matches(reading, pieces) }

    /// The same regardless of the case of ASCII letters, for a reading in lower case.
    func matches(folded reading: [UInt8]) -> Bool { Self.matches(reading, foldedPieces) }

    private static func matches(_ path: [UInt8], _ pieces: [[UInt8]]) -> Bool {
        guard pieces.count == 1, let folder = pieces.first else {
            return matches(path[...], pieces) || path.last == slash && matches(path.dropLast(), pieces)
        }
        return path.starts(with: folder)
            && (folder.isEmpty || path.count == folder.count || path[folder.count] == slash)
    }

    /// The first piece at the start, the last at the end, those between at their first place: linear in the path.
    private static func matches(_ path: ArraySlice<UInt8>, _ pieces: [[UInt8]]) -> Bool {
        guard let first = pieces.first, let last = pieces.last, path.count >= first.count + last.count,
            path.starts(with: first), path.suffix(last.count).elementsEqual(last)
        else { return false }
        var rest = path.dropFirst(first.count).dropLast(last.count)
        for piece in pieces.dropFirst().dropLast() {
            guard let end = end(of: piece, in: rest) else { return false }
            rest = rest[end...]
        }
        return true
    }

    /// Where the first occurrence of `piece` ends, found without going back (Knuth, Morris, Pratt).
    private static func end(of piece: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard !piece.isEmpty else { return text.startIndex }
        var borders = [0]
        func extended(_ length: Int, by byte: UInt8) -> Int {
            var length = length
            while length > 0, piece[length] != byte { length = borders[length - 1] }
            return piece[length] == byte ? length + 1 : 0
        }
        for index in piece.indices.dropFirst() { borders.append(extended(borders[index - 1], by: piece[index])) }
        var matched = 0
        for index in text.indices {
            matched = extended(matched, by: text[index])
            if matched == piece.count { return index + 1 }
        }
        return nil
    }
}
