import TunnelConfig

/// What a host and a path come to.
package enum ApplicationMatch: Hashable, Sendable {
    /// No application guards it.
    case unguarded
    case application(AccessApplication, ApplicationDomain)
    /// The path can be read in ways that different applications guard, so it is passed on by none of them.
    case ambiguous([AccessApplication.ID])
    /// Nobody can say what the path means, and on this host it matters.
    case undecidable
}

/// Finds the application that guards a request (access-protocol section 3.11). Made once per configuration.
struct ApplicationIndex: Hashable, Sendable {
    private struct Entry: Hashable, Sendable {
        var domain: ApplicationDomain
        var application: AccessApplication

        static func isTriedBefore(_ left: Entry, _ right: Entry) -> Bool {
            ApplicationDomain.isMoreParticular(left.domain, right.domain)
        }
    }

    /// By host, most particular first.
    private var exact: [String: [Entry]] = [:]
    /// By what follows the first label, so that a host is held against few; patterns with `*` further on under "".
    private var patterns: [String: [Entry]] = [:]

    /// Refuses two applications, or two spellings in one, for the same place.
    init(_ applications: some Sequence<AccessApplication>) throws(ConfigError) {
        var owners: [String: [ExactText: AccessApplication.ID]] = [:]
        for application in applications {
            for domain in application.domains {
                let other = owners[domain.host.text, default: [:]]
                    .updateValue(application.id, forKey: domain.path.foldedText)
                if let other {
                    throw ConfigError(
                        "\(domain) is already guarded by the application \(quoted(other))",
                        suggestion:
                            "every place belongs to one application; the case of letters does not tell paths apart",
                        key: "applications[\(application.id)].domains")
                }
                let entry = Entry(domain: domain, application: application)
                if domain.host.isWildcard {
                    let rest = Self.afterFirstLabel(domain.host.text)
                    patterns[rest.contains("*") ? "" : String(rest), default: []].append(entry)
                } else {
                    exact[domain.host.text, default: []].append(entry)
                }
            }
        }
        exact = exact.mapValues { $0.sorted(by: Entry.isTriedBefore) }
    }

    func match(_ host: CanonicalHost, target: String) -> ApplicationMatch {
        let matching = [String(Self.afterFirstLabel(host.name)), ""].flatMap { patterns[$0, default: []] }
            .filter { $0.domain.host.matches(host.name) }
        let entries = exact[host.name, default: []] + matching.sorted(by: Entry.isTriedBefore)
        guard let first = entries.first else { return .unguarded }
        // Where one application has the whole host, no spelling of a path can leave it.
        if first.domain.path.isEverything { return .application(first.application, first.domain) }
        guard let path = CanonicalPath(target) else { return .undecidable }

        var found: [Entry?] = []
        func add(_ entry: Entry?) {
            if !found.contains(where: { $0?.application.id == entry?.application.id }) { found.append(entry) }
        }
        for reading in path.readings {
            add(entries.first { $0.domain.path.matches(reading) })
            let folded = reading.map(foldedASCII)
            add(entries.first { $0.domain.path.matches(folded: folded) })
        }
        return Self.agreed(found)
    }

    /// One application must guard every reading, or all but those that are open to everyone anyway.
    private static func agreed(_ found: [Entry?]) -> ApplicationMatch {
        // What no application guards counts as guarded: whether it is passed on is not for another one to say.
        let guarded = found.filter { $0.map { !$0.application.isOpen } ?? true }
        let deciding = guarded.isEmpty ? found.prefix(1) : guarded[...]
        if deciding.count == 1, let entry = deciding.first {
            if let entry { return .application(entry.application, entry.domain) }
            if found.count == 1 { return .unguarded }
        }
        return .ambiguous(found.compactMap { $0?.application.id }.sorted())
    }

    private static func afterFirstLabel(_ host: String) -> Substring {
        host.firstIndex(of: ".").map { host[host.index(after: $0)...] } ?? ""
    }
}
