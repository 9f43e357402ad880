/// The `path` of an ingress rule: a regular expression in RE2's syntax, searched anywhere in the path.
///
/// Matching follows all alternatives at once (Thompson), so a request costs at most path length times pattern size. The
/// backtracking engines of Swift and Foundation take exponential time on patterns such as `(a+)+$`, and the path comes
/// from the visitor. Back references and look-around do not exist in RE2 either.
package struct PathPattern: Hashable, Sendable, CustomStringConvertible {
    /// As it was written.
    package let text: String
    private let program: PatternProgram

    package init(_ text: String) throws(ConfigError) {
        guard text.utf8.count <= 4096 else { throw ConfigError("the regular expression is longer than 4096 bytes") }
        self.text = text
        do {
            var parser = PatternParser(text)
            program = try PatternProgram(parser.parse())
        } catch {
            throw ConfigError(
                "\(quoted(text)) is not a regular expression: \(error.problem)",
                suggestion: "use RE2 syntax; a literal dot is \\. and ^ anchors at the start")
        }
    }

    package func matches(_ path: String) -> Bool { program.matches(path.unicodeScalars) }

    package static func == (left: PathPattern, right: PathPattern) -> Bool { left.text == right.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
    package var description: String { text }
}

/// Why a pattern was refused, in words.
struct PatternError: Error {
    var problem: String
    init(_ problem: String) { self.problem = problem }
}

/// A parsed pattern. Captures and greed are gone: only whether something matches is asked.
indirect enum PatternNode: Sendable {
    case empty
    case scalars(ScalarSet)
    case assertion(PatternAssertion)
    case sequence([PatternNode])
    case choice([PatternNode])
    case repeated(PatternNode, min: Int, max: Int?)

    /// How many copies of something the counted repetitions inside multiply to.
    var copies: Int {
        switch self {
        case .empty, .scalars, .assertion: 1
        case .sequence(let nodes), .choice(let nodes): nodes.map(\.copies).max() ?? 1
        case .repeated(let node, let min, let max): node.copies * Swift.max(max ?? min, 1)
        }
    }
}

enum PatternAssertion: Sendable {
    case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary

    func holds(before: Unicode.Scalar?, after: Unicode.Scalar?) -> Bool {
        switch self {
        case .textStart: before == nil
        case .textEnd: after == nil
        case .lineStart: before == nil || before == "\n"
        case .lineEnd: after == nil || after == "\n"
        case .wordBoundary: Self.isWord(before) != Self.isWord(after)
        case .notWordBoundary: Self.isWord(before) == Self.isWord(after)
        }
    }

    private static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar else { return false }
        return scalar.isASCII
            && (scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
    }
}

/// One position of a pattern: which scalars may stand there.
struct ScalarSet: Sendable {
    enum Item: Sendable {
        case range(ClosedRange<UInt32>)
        case category(Set<Unicode.GeneralCategory>, negated: Bool)
        /// `\D` and its like inside a class.
        case outside([ClosedRange<UInt32>])
    }

    var items: [Item]
    var negated = false
    var ignoresCase = false

    init(_ scalar: Unicode.Scalar) { items = [.range(scalar.value...scalar.value)] }
    init(items: [Item]) { self.items = items }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        var found = holds(scalar)
        if !found, ignoresCase {
            found = Self.foldings(scalar).contains { holds($0) }
        }
        return found != negated
    }

    private func holds(_ scalar: Unicode.Scalar) -> Bool {
        items.contains { item in
            switch item {
            case .range(let range): range.contains(scalar.value)
            case .outside(let ranges): !ranges.contains { $0.contains(scalar.value) }
            case .category(let categories, let negated):
                categories.contains(scalar.properties.generalCategory) != negated
            }
        }
    }

    private static func foldings(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping].compactMap { mapping in
            let scalars = mapping.unicodeScalars
            return scalars.count == 1 ? scalars.first : nil
        }
    }
}
