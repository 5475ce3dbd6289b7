import { type Json, need, text } from '../json.ts'
import { AwsError } from '../service.ts'
import type { Context, Made, Provider } from './provider.ts'
import { checkAlarm, checkDashboard } from './watch.ts'

/**
 * Types that are remembered and named as AWS would, but do nothing: no alarm is evaluated, no topic delivers, no
 * network filters. Buckets are S3's own where this world has it.
 */
export function provideStored(): Readonly<Record<string, Provider>> {
  const taken = new Set<string>()

  /** A type whose name must be unique within `scope`. */
  function named(property: string, scope: (context: Context) => string, make: Make): Provider {
    const provider = stored([property], (properties, context) => {
      const generated = () => context.name(63)
      const name = text(properties[property] ?? generated(), property)
      return make(property === 'BucketName' ? name.toLowerCase() : name, properties, context)
    })
    const slot = (made: Made, context: Context) => `${context.type} ${scope(context)} ${made.id}`
    return {
      ...provider,
      async create(properties, context) {
        const made = await provider.create(properties, context)
        if (taken.has(slot(made, context))) {
          throw new AwsError('AlreadyExists', `${made.id} already exists`)
        }
        taken.add(slot(made, context))
        return made
      },
      async delete(made, _, context) {
        taken.delete(slot(made, context))
      },
    }
  }
  const region = (context: Context) => context.region
  return {
    'AWS::CloudWatch::Alarm': checked(
      checkAlarm,
      named('AlarmName', region, (name, _, context) => ({
        id: name,
        attributes: { Arn: arn('cloudwatch', `alarm:${name}`, context) },
      })),
    ),
    'AWS::CloudWatch::Dashboard': checked(
      checkDashboard,
      named(
        'DashboardName',
        () => '',
        (name) => ({ id: name, attributes: {} }),
      ),
    ),
    'AWS::SNS::Topic': named('TopicName', region, (TopicName, _, context) => {
      const TopicArn = arn('sns', TopicName, context)
      return { id: TopicArn, attributes: { TopicArn, TopicName } }
    }),
    'AWS::S3::Bucket': held(
      named(
        'BucketName',
        () => '',
        (name, _, context) => ({
          id: name,
          attributes: {
            Arn: `arn:aws:s3:::${name}`,
            DomainName: `${name}.s3.amazonaws.com`,
            RegionalDomainName: `${name}.s3.${context.region}.amazonaws.com`,
          },
        }),
      ),
    ),
    'AWS::S3::BucketPolicy': stored(['Bucket'], (properties) => ({
      id: need(properties, 'Bucket'),
      attributes: {},
    })),
    'AWS::EC2::VPC': stored(['CidrBlock'], (properties, context) => {
      const id = `vpc-${context.world.random.hex(17)}`
      return { id, attributes: { VpcId: id, CidrBlock: properties['CidrBlock'] } }
    }),
    'AWS::EC2::Subnet': stored(
      ['AvailabilityZone', 'CidrBlock', 'VpcId'],
      (properties, context) => {
        const id = `subnet-${context.world.random.hex(17)}`
        const { AvailabilityZone = `${context.region}a`, CidrBlock, VpcId } = properties
        return { id, attributes: { SubnetId: id, AvailabilityZone, CidrBlock, VpcId } }
      },
    ),
    'AWS::EC2::SecurityGroup': stored(
      ['GroupDescription', 'GroupName', 'VpcId'],
      (properties, context) => {
        const id = `sg-${context.world.random.hex(17)}`
        return { id, attributes: { GroupId: id, Id: id, VpcId: properties['VpcId'] } }
      },
    ),
    'AWS::EC2::SecurityGroupIngress': stored(undefined, (_, context) => {
      const id = `sgr-${context.world.random.hex(17)}`
      return { id, attributes: { Id: id } }
    }),
  }
}

/** A bucket that objects can be put into; one that holds any is not deleted. */
function held(provider: Provider): Provider {
  return {
    ...provider,
    async create(properties, context) {
      const made = await provider.create(properties, context)
      if (context.world.has('s3')) await context.call('s3', 'CreateBucket', { Bucket: made.id })
      return made
    },
    async delete(made, properties, context) {
      if (context.world.has('s3')) await context.call('s3', 'DeleteBucket', { Bucket: made.id })
      await provider.delete?.(made, properties, context)
    },
  }
}

/** A type whose properties are looked at before they are stored. */
function checked(check: (properties: Json) => void, provider: Provider): Provider {
  const { update } = provider
  return {
    ...provider,
    async create(properties, context) {
      check(properties)
      return provider.create(properties, context)
    },
    ...(update && {
      async update(properties, made, old, context) {
        check(properties)
        return update(properties, made, old, context)
      },
    }),
  }
}

type Make = (name: string, properties: Json, context: Context) => Made

/** Without `immutable` every change makes a new one. */
function stored(
  immutable: readonly string[] | undefined,
  make: (properties: Json, context: Context) => Made,
): Provider {
  return {
    create: async (properties, context) => make(properties, context),
    ...(immutable && { immutable, update: async (_, made) => made }),
  }
}

function arn(service: string, rest: string, { region, world }: Context): string {
  return `arn:aws:${service}:${region}:${world.account}:${rest}`
}
