/// One flag of the official command line, or one of ours: how it is spelled, where else its value may come from, who
/// uses it.
struct FlagDefinition: Sendable {
    /// What a value must look like. Source: cli-and-config.md section 1.2.
    enum Kind: Sendable, Equatable {
        case string
        case bool
        /// Go integer syntax, negative allowed.
        case integer
        /// The same without a sign.
        case unsigned
        case duration
        case list
    }

    /// Who a flag is for. A command takes the flags of its groups from every outer level.
    enum Group: Sendable, Hashable {
        case logging
        /// Certificate, API address and trust of the account API.
        case account
        /// The configuration file.
        case configuration
        /// The process: metrics, pid file.
        case host
        /// The one implied rule.
        case origin
        case connector
        case credentials
        /// `tunnel --hostname …` without a tunnel of its own name.
        case classic
        /// Whom a login for an application behind Access trusts.
        case login
        /// Accepted for compatibility, without effect here.
        case ignored
        /// Belongs to the command that defines it.
        case own
    }

    /// The spelling after the dashes that the command declares, and the name under which all levels share a value.
    let id: String
    /// Accepted spellings, without dashes; the first is the official name and the key in the configuration file.
    let names: [String]
    let environment: [String]
    let kind: Kind
    let group: Group
    /// Whether the configuration file may set it.
    let isConfigurable: Bool
    /// Masked wherever settings are shown.
    let isSecret: Bool

    init(
        names: [String], id: String?, kind: Kind, environment: [String], group: Group, isConfigurable: Bool,
        isSecret: Bool
    ) {
        self.names = names
        self.id = id ?? names.first ?? ""
        self.environment = environment
        self.kind = kind
        self.group = group
        self.isConfigurable = isConfigurable
        self.isSecret = isSecret
    }

    /// A flag of one command.
    init(
        _ names: String..., kind: Kind = .string, environment: [String] = [], isSecret: Bool = false, id: String? = nil
    ) {
        self.init(
            names: names, id: id, kind: kind, environment: environment, group: .own, isConfigurable: false,
            isSecret: isSecret)
    }

    /// Whether one value may name several, `A,B`, as in the environment.
    var isSeparatedByCommas: Bool { kind == .list && ["bastion-allow", "edge"].contains(id) }
    /// Whether the words that follow the first value are values too: `--bastion-allow A B`.
    var takesFurtherWords: Bool { id == "bastion-allow" }

    /// How messages name it.
    var display: String { "--" + (names.first ?? id) }
}
