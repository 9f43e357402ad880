import TunnelConfig

/// Follows the references between rule groups once, when a configuration is made, so that nobody has to when it decides
/// (access-protocol section 3.12: cycles are refused).
struct GroupCheck {
    /// What a group comes to with all groups that it refers to.
    struct Traits: Hashable {
        var needsIdentity = false
        var needsServiceToken = false
        /// 1: it refers to no other group.
        var depth = 1

        mutating func add(_ other: Traits) {
            needsIdentity = needsIdentity || other.needsIdentity
            needsServiceToken = needsServiceToken || other.needsServiceToken
            depth = max(depth, other.depth + 1)
        }
    }

    static let deepest = 16

    private let groups: [String: RuleGroup]
    private var done: [String: Traits] = [:]

    /// Refuses a group that refers to itself by any way, to none that exists, or through too many others.
    static func traits(of groups: [String: RuleGroup]) throws(ConfigError) -> [String: Traits] {
        var check = GroupCheck(groups: groups)
        for id in groups.keys.sorted() { try check.visit(id) }
        return check.done
    }

    private init(groups: [String: RuleGroup]) { self.groups = groups }

    /// A group on the way down, with the references still to follow.
    private struct Step {
        var id: String
        var traits: Traits
        var references: ArraySlice<String>
    }

    /// Depth first without recursion: a long chain must not reach the end of the stack.
    private mutating func visit(_ root: String) throws(ConfigError) {
        guard done[root] == nil, let first = step(root) else { return }
        var way = [first]
        var onWay: Set = [root]
        while var last = way.popLast() {
            guard let next = last.references.popFirst() else {
                try finish(last)
                onWay.remove(last.id)
                if let traits = done[last.id] { way.indices.last.map { way[$0].traits.add(traits) } }
                continue
            }
            if let traits = done[next] {
                last.traits.add(traits)
                way.append(last)
                continue
            }
            way.append(last)
            guard !onWay.contains(next) else {
                let cycle = way.map(\.id).drop { $0 != next } + [next]
                throw ConfigError(
                    "the group refers to itself: \(cycle.prefix(10).joined(separator: " → "))",
                    suggestion: "remove one of these references", key: "groups[\(next)]")
            }
            guard let below = step(next) else {
                throw ConfigError(
                    "there is no group \(quoted(next))", suggestion: ConfigKeys.hint(for: next, among: groups.keys),
                    key: "groups[\(last.id)]")
            }
            way.append(below)
            onWay.insert(next)
        }
    }

    private mutating func finish(_ step: Step) throws(ConfigError) {
        guard step.traits.depth <= Self.deepest else {
            throw ConfigError(
                "the group reaches others through more than \(Self.deepest) levels",
                suggestion: "refer to the lower groups directly", key: "groups[\(step.id)]")
        }
        done[step.id] = step.traits
    }

    private func step(_ id: String) -> Step? {
        guard let group = groups[id] else { return nil }
        var traits = Traits()
        var references: Set<String> = []
        for selector in group.criteria.selectors {
            if selector.needsIdentity { traits.needsIdentity = true }
            if selector.needsServiceToken { traits.needsServiceToken = true }
            if case .group(let other) = selector { references.insert(other) }
        }
        return Step(id: id, traits: traits, references: references.sorted()[...])
    }
}

extension ConfigKeys {
    /// "did you mean …" for an error line; nil when nothing known is near.
    static func hint(for name: String, among known: some Sequence<String>) -> String? {
        suggestion(for: name, among: known).map { "did you mean \($0)?" }
    }
}
