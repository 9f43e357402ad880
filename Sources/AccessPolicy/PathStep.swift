/// Something that an origin may do to a path before it decides what is meant, and may as well leave undone.
///
/// A step never makes a path longer, and doing it over and over comes to rest, so the paths that steps lead to are
/// finite in number.
enum PathStep: CaseIterable {
    /// Decodes every percent triplet, once.
    case decode
    /// Cuts at a `?` or `#` that decoding has brought to light.
    case cutQuery
    /// Drops `;parameters` from every segment, as servlet containers do.
    case dropParameters
    /// Reads `\` as `/`, as Windows and browsers do.
    case turnBackslashes
    /// Takes `//` for `/`.
    case mergeSlashes
    /// Resolves `.` and `..` (RFC 3986 section 5.2.4).
    case resolveDots
    /// Drops dots and spaces from the end of segments, as Windows' file systems do.
    case trimSegments

    /// What is left of `path`; nil when nobody can say what the result means: a control byte, or not UTF-8.
    func callAsFunction(_ path: [UInt8]) -> [UInt8]? {
        switch self {
        case .decode: return Self.decoded(path)
        case .cutQuery:
            guard let end = path.firstIndex(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) else {
                return path
            }
            return Array(path[..<end])
        case .dropParameters: return Self.withoutParameters(path)
        case .turnBackslashes: return path.map { $0 == UInt8(ascii: "\\") ? slash : $0 }
        case .mergeSlashes:
            var result: [UInt8] = []
            for byte in path where !(byte == slash && result.last == slash) { result.append(byte) }
            return result
        case .resolveDots: return Self.resolved(path)
        case .trimSegments: return Self.trimmed(path)
        }
    }

    /// False for the ordinary path, which no step changes: told in one pass.
    static func mayChange(_ path: [UInt8]) -> Bool {
        var previous = UInt8(0)
        for byte in path {
            switch byte {
            case percent, UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: ";"), UInt8(ascii: "\\"): return true
            case slash where previous == slash || previous == dot || previous == space: return true
            default: previous = byte
            }
        }
        return previous == dot || previous == space
    }

    private static func decoded(_ path: [UInt8]) -> [UInt8]? {
        guard path.contains(percent) else { return path }
        var result: [UInt8] = []
        var index = 0
        while index < path.count {
            // A percent sign without its digits stays as it is: strict decoders fail on it, lax ones let it be.
            if path[index] == percent, let byte = PercentTriplet.byte(in: path, at: index) {
                guard isPrintable(byte) else { return nil }
                result.append(byte)
                index += 3
            } else {
                result.append(path[index])
                index += 1
            }
        }
        return String(validating: result, as: UTF8.self) == nil ? nil : result
    }

    private static func withoutParameters(_ path: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var isParameter = false
        for byte in path {
            if byte == UInt8(ascii: ";") { isParameter = true }
            if byte == slash { isParameter = false }
            if !isParameter { result.append(byte) }
        }
        return result
    }

    private static func resolved(_ path: [UInt8]) -> [UInt8] {
        guard path.contains(dot) else { return path }
        var kept: [ArraySlice<UInt8>] = []
        let segments = path.dropFirst().split(separator: slash, omittingEmptySubsequences: false)
        for segment in segments {
            if segment == [dot, dot] {
                _ = kept.popLast()
            } else if segment != [dot] {
                kept.append(segment)
            }
        }
        // A dot segment at the end means a folder.
        if let last = segments.last, last == [dot] || last == [dot, dot] { kept.append([]) }
        return joined(kept)
    }

    private static func trimmed(_ path: [UInt8]) -> [UInt8] {
        joined(
            path.dropFirst().split(separator: slash, omittingEmptySubsequences: false).map { segment in
                guard segment.contains(where: { $0 != dot && $0 != space }) else { return segment }
                var segment = segment
                while let last = segment.last, last == dot || last == space { segment.removeLast() }
                return segment
            })
    }

    private static func joined(_ segments: [ArraySlice<UInt8>]) -> [UInt8] {
        var path: [UInt8] = []
        path.reserveCapacity(segments.reduce(1) { $0 + $1.count + 1 })
        for segment in segments {
            path.append(slash)
            path.append(contentsOf: segment)
        }
        return path.isEmpty ? [slash] : path
    }
}

enum PercentTriplet {
    /// The byte that the triplet at `index` stands for; nil when there is none.
    static func byte(in path: [UInt8], at index: Int) -> UInt8? {
        guard index + 2 < path.count, let high = digit(path[index + 1]), let low = digit(path[index + 2]) else {
            return nil
        }
        return high << 4 | low
    }

    static func text(of byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [percent, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

let slash = UInt8(ascii: "/")
let percent = UInt8(ascii: "%")
private let dot = UInt8(ascii: ".")
private let space = UInt8(ascii: " ")

func isPrintable(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F }
