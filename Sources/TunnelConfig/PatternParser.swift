/// Reads RE2's syntax. Depth and counted repetition are bounded, so that no text can exhaust stack or memory.
struct PatternParser {
    private struct Flags {
        var ignoresCase = false
        var multiline = false
        var dotMatchesNewline = false
    }

    private static let deepest = 200
    private static let mostCopies = 1_000

    private var rest: Substring.UnicodeScalarView
    private var flags = Flags()
    private var depth = 0

    init(_ text: String) { rest = Substring(text).unicodeScalars }

    mutating func parse() throws(PatternError) -> PatternNode {
        let node = try parseChoice()
        guard rest.isEmpty else { throw PatternError("there is a ) without (") }
        return node
    }

    private mutating func parseChoice() throws(PatternError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else { throw PatternError("it nests too deeply") }
        var branches: [PatternNode] = []
        repeat {
            branches.append(try parseSequence())
        } while take("|")
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func parseSequence() throws(PatternError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = rest.first, scalar != "|", scalar != ")" {
            if "*+?".unicodeScalars.contains(scalar) { throw PatternError("nothing stands before \(scalar)") }
            let atom = try parseAtom()
            nodes.append(try parseRepetition(of: atom))
        }
        return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
    }

    private mutating func parseRepetition(of atom: PatternNode) throws(PatternError) -> PatternNode {
        let node: PatternNode
        switch rest.first {
        case "*":
            rest.removeFirst()
            node = .repeated(atom, min: 0, max: nil)
        case "+":
            rest.removeFirst()
            node = .repeated(atom, min: 1, max: nil)
        case "?":
            rest.removeFirst()
            node = .repeated(atom, min: 0, max: 1)
        case "{":
            guard let (min, max) = try parseCounts() else { return atom }
            node = .repeated(atom, min: min, max: max)
        default:
            return atom
        }
        _ = take("?")
        if let scalar = rest.first, "*+?".unicodeScalars.contains(scalar) {
            throw PatternError("two repetitions follow each other")
        }
        guard node.copies <= Self.mostCopies else { throw PatternError("it repeats more than 1000 times") }
        return node
    }

    /// `{n}`, `{n,}`, `{n,m}`. Anything else after `{` is a literal brace, as in RE2.
    private mutating func parseCounts() throws(PatternError) -> (Int, Int?)? {
        let start = rest
        rest.removeFirst()
        guard let min = parseNumber() else {
            rest = start
            return nil
        }
        var max: Int? = min
        if take(",") { max = parseNumber() }
        guard take("}") else {
            rest = start
            return nil
        }
        if let max, max < min { throw PatternError("{\(min),\(max)} counts backwards") }
        guard Swift.max(min, max ?? 0) <= Self.mostCopies else { throw PatternError("it repeats more than 1000 times") }
        return (min, max)
    }

    private mutating func parseNumber() -> Int? {
        var text = ""
        while let scalar = rest.first, ("0"..."9").contains(scalar), text.utf8.count < 6 {
            text.unicodeScalars.append(scalar)
            rest.removeFirst()
        }
        return Int(text)
    }

    private mutating func parseAtom() throws(PatternError) -> PatternNode {
        guard let scalar = rest.popFirst() else { return .empty }
        switch scalar {
        case ".":
            var set = ScalarSet("\n")
            if flags.dotMatchesNewline { set.items = [] }
            set.negated = true
            return .scalars(set)
        case "^": return .assertion(flags.multiline ? .lineStart : .textStart)
        case "$": return .assertion(flags.multiline ? .lineEnd : .textEnd)
        case "(": return try parseGroup()
        case "[": return .scalars(try parseClass())
        case "\\": return try parseEscape()
        default: return literal(scalar)
        }
    }

    private func literal(_ scalar: Unicode.Scalar) -> PatternNode {
        var set = ScalarSet(scalar)
        set.ignoresCase = flags.ignoresCase
        return .scalars(set)
    }

    private mutating func parseGroup() throws(PatternError) -> PatternNode {
        let outer = flags
        if take("?") {
            if take("P") || rest.first == "<" {
                try parseName()
            } else if try !parseFlags() {
                // `(?i)` holds to the end of the group around it.
                return .empty
            }
        }
        let node = try parseChoice()
        guard take(")") else { throw PatternError("a ) is missing") }
        flags = outer
        return node
    }

    private mutating func parseName() throws(PatternError) {
        guard take("<"), rest.first != "=", rest.first != "!" else {
            throw PatternError("look-around and back references are not supported")
        }
        var length = 0
        while let scalar = rest.popFirst(), scalar != ">" {
            guard scalar.isASCII, scalar.properties.isAlphabetic || scalar == "_" || ("0"..."9").contains(scalar) else {
                throw PatternError("a group has an invalid name")
            }
            length += 1
        }
        guard length > 0 else { throw PatternError("a group has an invalid name") }
    }

    /// True when a group follows (`(?i:`), false when the flags stand alone (`(?i)`).
    private mutating func parseFlags() throws(PatternError) -> Bool {
        var value = true
        while let scalar = rest.popFirst() {
            switch scalar {
            case "i": flags.ignoresCase = value
            case "m": flags.multiline = value
            case "s": flags.dotMatchesNewline = value
            case "U": continue
            case "-" where value: value = false
            case ":": return true
            case ")": return false
            case "=", "!": throw PatternError("look-around is not supported")
            default: throw PatternError("(?\(scalar) is not known")
            }
        }
        throw PatternError("a ) is missing")
    }

    private mutating func parseEscape() throws(PatternError) -> PatternNode {
        guard let scalar = rest.popFirst() else { throw PatternError("it ends with a backslash") }
        switch scalar {
        case "A": return .assertion(.textStart)
        case "z": return .assertion(.textEnd)
        case "b": return .assertion(.wordBoundary)
        case "B": return .assertion(.notWordBoundary)
        case "Q": return parseQuoted()
        default:
            if let item = try parseClassEscape(scalar) {
                var set = ScalarSet(items: item)
                set.ignoresCase = flags.ignoresCase
                return .scalars(set)
            }
            return literal(try parseScalarEscape(scalar))
        }
    }

    private mutating func parseQuoted() -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = rest.popFirst() {
            if scalar == "\\", rest.first == "E" {
                rest.removeFirst()
                break
            }
            nodes.append(literal(scalar))
        }
        return .sequence(nodes)
    }

    /// `\d`, `\w`, `\s`, `\pL` and their opposites; nil when the escape stands for one scalar.
    private mutating func parseClassEscape(_ scalar: Unicode.Scalar) throws(PatternError) -> [ScalarSet.Item]? {
        switch scalar {
        case "d": return PatternClass.digit.map(ScalarSet.Item.range)
        case "w": return PatternClass.word.map(ScalarSet.Item.range)
        case "s": return PatternClass.space.map(ScalarSet.Item.range)
        case "D": return [.outside(PatternClass.digit)]
        case "W": return [.outside(PatternClass.word)]
        case "S": return [.outside(PatternClass.space)]
        case "p", "P":
            var name = ""
            if take("{") {
                while let scalar = rest.popFirst(), scalar != "}" { name.unicodeScalars.append(scalar) }
            } else if let scalar = rest.popFirst() {
                name.unicodeScalars.append(scalar)
            }
            var negated = scalar == "P"
            if name.hasPrefix("^") {
                negated.toggle()
                name.removeFirst()
            }
            guard let categories = PatternClass.categories[name] else {
                throw PatternError("the character class \\p{\(name)} is not supported")
            }
            return [.category(categories, negated: negated)]
        default: return nil
        }
    }

    private mutating func parseScalarEscape(_ scalar: Unicode.Scalar) throws(PatternError) -> Unicode.Scalar {
        switch scalar {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "f": return "\u{0C}"
        case "v": return "\u{0B}"
        case "a": return "\u{07}"
        case "x": return try parseHex()
        case "0":
            var value: UInt32 = 0
            var digits = 0
            while let digit = rest.first, ("0"..."7").contains(digit), digits < 2 {
                value = value * 8 + digit.value - 48
                digits += 1
                rest.removeFirst()
            }
            return Unicode.Scalar(value) ?? scalar
        default:
            // RE2 lets only punctuation be escaped, so that letters stay free for meanings.
            guard scalar.isASCII, !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar) else {
                throw PatternError("\\\(scalar) is not known")
            }
            return scalar
        }
    }

    private mutating func parseHex() throws(PatternError) -> Unicode.Scalar {
        var digits = ""
        if take("{") {
            while let scalar = rest.popFirst(), scalar != "}" {
                digits.unicodeScalars.append(scalar)
                guard digits.utf8.count <= 8 else { break }
            }
        } else {
            for _ in 0..<2 {
                if let scalar = rest.popFirst() { digits.unicodeScalars.append(scalar) }
            }
        }
        guard digits.first != "+", digits.first != "-", let value = UInt32(digits, radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw PatternError("\\x is not followed by a code") }
        return scalar
    }

    private mutating func parseClass() throws(PatternError) -> ScalarSet {
        var set = ScalarSet(items: [])
        set.ignoresCase = flags.ignoresCase
        set.negated = take("^")
        var first = true
        while let scalar = rest.popFirst() {
            if scalar == "]", !first { return set }
            first = false
            if scalar == "[", rest.first == ":" {
                set.items += try parseNamedClass()
                continue
            }
            var low = scalar
            if scalar == "\\" {
                guard let escaped = rest.popFirst() else { break }
                if let item = try parseClassEscape(escaped) {
                    set.items += item
                    continue
                }
                low = try parseScalarEscape(escaped)
            }
            set.items.append(.range(try parseRange(from: low)))
        }
        throw PatternError("a ] is missing")
    }

    private mutating func parseRange(from low: Unicode.Scalar) throws(PatternError) -> ClosedRange<UInt32> {
        var ahead = rest
        guard ahead.popFirst() == "-", let next = ahead.first, next != "]" else { return low.value...low.value }
        ahead.removeFirst()
        rest = ahead
        var high = next
        if next == "\\" {
            guard let escaped = rest.popFirst() else { throw PatternError("a ] is missing") }
            high = try parseScalarEscape(escaped)
        }
        guard low.value <= high.value else { throw PatternError("the range \(low)-\(high) runs backwards") }
        return low.value...high.value
    }

    private mutating func parseNamedClass() throws(PatternError) -> [ScalarSet.Item] {
        rest.removeFirst()
        let negated = take("^")
        var name = ""
        while let scalar = rest.first, scalar.isASCII, scalar.properties.isAlphabetic {
            name.unicodeScalars.append(scalar)
            rest.removeFirst()
        }
        guard take(":"), take("]"), let ranges = PatternClass.named[name] else {
            throw PatternError("[:\(name):] is not known")
        }
        return negated ? [.outside(ranges)] : ranges.map(ScalarSet.Item.range)
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }
}

/// The named classes of RE2. `\d`, `\w`, `\s` are ASCII there, and so here.
enum PatternClass {
    typealias Ranges = [ClosedRange<UInt32>]

    static let digit: Ranges = [48...57]
    static let word: Ranges = [48...57, 65...90, 95...95, 97...122]
    static let space: Ranges = [9...10, 12...13, 32...32]

    static let named: [String: Ranges] = [
        "alnum": [48...57, 65...90, 97...122], "alpha": [65...90, 97...122], "ascii": [0...127],
        "blank": [9...9, 32...32], "cntrl": [0...31, 127...127], "digit": digit, "graph": [33...126],
        "lower": [97...122], "print": [32...126], "punct": [33...47, 58...64, 91...96, 123...126],
        "space": [9...13, 32...32], "upper": [65...90], "word": word, "xdigit": [48...57, 65...70, 97...102],
    ]

    /// General categories; scripts are not carried.
    static let categories: [String: Set<Unicode.GeneralCategory>] = {
        let single: [String: Unicode.GeneralCategory] = [
            "Lu": .uppercaseLetter, "Ll": .lowercaseLetter, "Lt": .titlecaseLetter, "Lm": .modifierLetter,
            "Lo": .otherLetter, "Mn": .nonspacingMark, "Mc": .spacingMark, "Me": .enclosingMark, "Nd": .decimalNumber,
            "Nl": .letterNumber, "No": .otherNumber, "Pc": .connectorPunctuation, "Pd": .dashPunctuation,
            "Ps": .openPunctuation, "Pe": .closePunctuation, "Pi": .initialPunctuation, "Pf": .finalPunctuation,
            "Po": .otherPunctuation, "Sm": .mathSymbol, "Sc": .currencySymbol, "Sk": .modifierSymbol,
            "So": .otherSymbol, "Zs": .spaceSeparator, "Zl": .lineSeparator, "Zp": .paragraphSeparator,
            "Cc": .control, "Cf": .format, "Co": .privateUse,
        ]
        var result: [String: Set<Unicode.GeneralCategory>] = [:]
        for (name, category) in single {
            result[name, default: []].insert(category)
            result[String(name.prefix(1)), default: []].insert(category)
        }
        return result
    }()
}
