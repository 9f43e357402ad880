import Logging
import TunnelConfig

/// A command with all its values, as files and environment had them at one moment.
struct CommandReading {
    var command: any CloudflaredCommand
    var resolution: FlagResolution
    var configuration: ConfigFile?
    /// Settings that differ from those of the start and that a running process cannot change, by the names that they have
    /// in the configuration file.
    var needsRestart: [String] = []

    /// What a person should know about the values.
    func warn(_ logger: Logger) {
        for warning in configuration?.warnings ?? [] { logger.warning("\(warning.description)") }
        for warning in resolution.warnings { logger.warning("\(warning)") }
    }
}

/// What a process was started with, to be compared with a later reading.
struct StartSettings: Sendable {
    private let values: [String: FlagResolution.Value]
    private let tunnel: String?

    init(_ reading: CommandReading) {
        values = reading.resolution.values
        tunnel = reading.configuration?.tunnel
    }

    /// Names of settings that are others now and need a restart.
    func needingRestart(_ reading: CommandReading) -> [String] {
        let now = reading.resolution.values
        var names = Set(values.keys).union(now.keys).compactMap { id -> String? in
            guard now[id]?.texts != values[id]?.texts, let definition = (now[id] ?? values[id])?.definition,
                !Self.canChange(definition)
            else { return nil }
            return definition.names.first ?? id
        }
        if reading.configuration?.tunnel != tunnel { names.append("tunnel") }
        return names.sorted()
    }

    private static func canChange(_ definition: FlagDefinition) -> Bool {
        switch definition.group {
        case .origin, .ignored: true
        default: ["tag", "loglevel"].contains(definition.id)
        }
    }
}
