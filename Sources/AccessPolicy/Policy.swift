package import TunnelConfig

/// The three lists that policies and groups are made of (access-protocol section 3.12): met when at least one of
/// `include`, all of `require` and none of `exclude` match.
package struct Criteria: Hashable, Sendable {
    /// Never empty in a configuration.
    package var include: [Selector]
    package var require: [Selector]
    package var exclude: [Selector]

    package init(include: [Selector], require: [Selector] = [], exclude: [Selector] = []) {
        self.include = include
        self.require = require
        self.exclude = exclude
    }

    var selectors: some Sequence<Selector> { [include, require, exclude].joined() }
}

extension Criteria: CustomStringConvertible {
    package var description: String {
        func list(_ selectors: [Selector], _ word: String) -> String {
            selectors.map(\.description).joined(separator: word)
        }
        return list(include, " or ") + (require.isEmpty ? "" : ", only with \(list(require, " and "))")
            + (exclude.isEmpty ? "" : ", but not \(list(exclude, " or "))")
    }
}

/// One policy of an application (access-protocol section 3.12).
package struct Policy: Hashable, Sendable, Identifiable {
    package enum Action: String, Hashable, Sendable, CaseIterable {
        case allow, deny, bypass
        case nonIdentity = "non_identity"

        /// Decided before anybody's identity is looked at.
        var comesFirst: Bool { self == .bypass || self == .nonIdentity }
    }

    package var id: String
    package var name: String
    package var action: Action
    /// Lower comes first; among equals, the one that is listed first.
    package var precedence: Int
    package var criteria: Criteria
    /// Nil: the application's.
    package var sessionDuration: SessionDuration?

    package init(
        id: String, name: String? = nil, action: Action, precedence: Int = 0, criteria: Criteria,
        sessionDuration: SessionDuration? = nil
    ) {
        self.id = id
        self.name = name ?? id
        self.action = action
        self.precedence = precedence
        self.criteria = criteria
        self.sessionDuration = sessionDuration
    }

    /// Lets everyone in without a look at them.
    var opensToAll: Bool {
        action == .bypass && criteria.include.contains(.everyone) && criteria.require.isEmpty
            && criteria.exclude.isEmpty
    }
}

extension [Policy] {
    /// The order in which policies are asked: all `bypass` and `non_identity` ones by precedence, then the others.
    var inEvaluationOrder: [Policy] {
        enumerated().sorted { left, right in
            func rank(_ item: (offset: Int, element: Policy)) -> (Int, Int, Int) {
                (item.element.action.comesFirst ? 0 : 1, item.element.precedence, item.offset)
            }
            return rank(left) < rank(right)
        }.map(\.element)
    }
}

/// A named condition that policies and other groups refer to by its id.
package struct RuleGroup: Hashable, Sendable, Identifiable {
    package var id: String
    package var name: String
    package var criteria: Criteria

    package init(id: String, name: String? = nil, criteria: Criteria) {
        self.id = id
        self.name = name ?? id
        self.criteria = criteria
    }
}

/// Addresses that selectors refer to by one id.
package struct IPList: Hashable, Sendable, Identifiable {
    package var id: String
    package let prefixes: [IPPrefix]

    package init(id: String, prefixes: [IPPrefix]) {
        self.id = id
        self.prefixes = prefixes.map(\.unmapped)
    }

    func contains(_ address: IPAddress) -> Bool { prefixes.contains { $0.contains(address) } }
}
