import { expect, it } from 'vitest'
import { camel } from '../../local/formation/camel.ts'

it.each([
  [
    { ContainerDefinitions: [{ ReadonlyRootFilesystem: 'true' }] },
    { containerDefinitions: [{ readonlyRootFilesystem: true }] },
  ],
  [{ PortMappings: [{ ContainerPort: '80' }] }, { portMappings: [{ containerPort: 80 }] }],
  [
    { EFSVolumeConfiguration: { FilesystemId: 'fs-1', IAM: 'x' } },
    { efsVolumeConfiguration: { fileSystemId: 'fs-1', iam: 'x' } },
  ],
  [{ EnableECSManagedTags: 'false' }, { enableECSManagedTags: false }],
])('the template %j is the API input %j', (template, input) => {
  expect(camel(template)).toEqual(input)
})

it('keys that belong to the user stay as they are, and their values are text', () => {
  const template = {
    DockerLabels: { 'com.Example': 1 },
    LogConfiguration: { LogDriver: 'awslogs', Options: { 'awslogs-Group': 'g' } },
  }

  expect(camel(template)).toEqual({
    dockerLabels: { 'com.Example': '1' },
    logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-Group': 'g' } },
  })
})
